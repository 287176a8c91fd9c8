// Which cases are shown, what is drawn of them, and how large it may be.
#include "apps/report/case_gallery.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "apps/case_pictures.h"
#include "apps/report/contours.h"
#include "apps/report/fitting_picture.h"
#include "apps/report/overlay.h"
#include "tests/apps/fixtures.h"

using namespace gf;

namespace {

std::string names(const std::vector<GalleryCase>& cases) {
  std::string s;
  for (const GalleryCase& c : cases) s += (s.empty() ? "" : " ") + c.name;
  return s;
}

CaseGallery gallery_of(const std::vector<double>& scores, std::size_t each) {
  CaseGallery g(each);
  for (std::size_t i = 0; i < scores.size(); ++i) g.add({i, "c" + std::to_string(i), scores[i], "", ""});
  return g;
}

// One letter a class: '.' is background.
Mask mask_of(const std::vector<std::string>& rows) {
  Mask m(static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size()));
  for (std::size_t i = 0; i < m.values.size(); ++i) {
    const char c = rows[i / rows[0].size()][i % rows[0].size()];
    m.values[i] = c == '.' ? 0 : c - 'a' + 1;
  }
  return m;
}

// 'r' reference, 'p' prediction, 'b' both, '.' untouched.
std::vector<std::string> drawn(const Mask& reference, const Mask& prediction, std::int64_t h, std::int64_t w) {
  Bytes8 picture{h, w, 3, std::vector<std::uint8_t>(static_cast<std::size_t>(h * w * 3), 7)};
  draw_contours(picture, reference, prediction);
  std::vector<std::string> rows(static_cast<std::size_t>(h));
  for (std::size_t i = 0; i < picture.bytes.size(); i += 3) {
    const std::array<std::uint8_t, 3> color = {picture.bytes[i], picture.bytes[i + 1], picture.bytes[i + 2]};
    rows[i / 3 / static_cast<std::size_t>(w)] += color == kReferenceColor    ? 'r'
                                                 : color == kPredictionColor ? 'p'
                                                 : color == kAgreedColor     ? 'b'
                                                 : color[0] == 7             ? '.'
                                                                             : '?';
  }
  return rows;
}

}  // namespace

TEST_CASE("worst and best cases: by score, no case twice, unknown scores passed over") {
  CaseGallery g = gallery_of({0.5, 0.9, NAN, 0.1, 0.7, 0.3, 0.8, 0.6}, 2);
  CHECK(names(g.worst()) == "c3 c5");
  CHECK(names(g.best()) == "c1 c6");
  CHECK(g.count() == 7);

  g = gallery_of({0.5, 0.9, 0.1}, 3);  // fewer than six
  CHECK(names(g.worst()) == "c2");
  CHECK(names(g.best()) == "c1 c0");
  g = gallery_of({0.4}, 3);
  CHECK(g.worst().empty());
  CHECK(names(g.best()) == "c0");
  g = gallery_of({NAN, NAN}, 3);
  CHECK(g.best().empty());

  g = gallery_of({0.5, 0.5, 0.5, 0.5, 0.5}, 2);  // the earlier counts as the worse
  CHECK(names(g.worst()) == "c0 c1");
  CHECK(names(g.best()) == "c4 c3");
}

TEST_CASE("the gallery holds few pictures of many cases, and the right ones in any order") {
  std::mt19937 random(3);
  std::vector<double> scores(200);
  for (std::size_t i = 0; i < scores.size(); ++i) scores[i] = double(i) / 200;
  for (int trial = 0; trial < 20; ++trial) {
    std::shuffle(scores.begin(), scores.end(), random);
    CaseGallery g(3);
    int pictures = 0;
    for (std::size_t i = 0; i < scores.size(); ++i)
      g.add({i, "", scores[i], "", ""}, [&](GalleryCase& c) { ++pictures, c.image_uri = std::to_string(c.score); });
    CHECK(pictures < 60);  // about 6 ln(200 / 6) + 6
    REQUIRE(g.worst().size() == 3);
    REQUIRE(g.best().size() == 3);
    for (int i = 0; i < 3; ++i) {
      CHECK(g.worst()[i].score == i / 200.0);
      CHECK(g.best()[i].score == (199 - i) / 200.0);
      CHECK(g.best()[i].image_uri == std::to_string(g.best()[i].score));
    }
  }
}

TEST_CASE("contours: the outermost pixels of every class, in two colours and a third where they agree") {
  const Mask reference = mask_of({"........",  //
                                  ".aaaa...",  //
                                  ".aaaa...",  //
                                  ".aaaa...",  //
                                  "........"});
  const Mask prediction = mask_of({"........",  //
                                   "..aaaa..",  //
                                   "..aaaa..",  //
                                   "..aaaa..",  //
                                   "........"});
  const std::vector<std::string> expected = {"........",  //
                                             ".rbbbp..",  //
                                             ".rp.rp..",  //
                                             ".rbbbp..",  //
                                             "........"};
  CHECK(drawn(reference, prediction, 5, 8) == expected);

  // Two classes that touch part there; another class in the same outline is no agreement; the border is no contour.
  CHECK(drawn(mask_of({"aabb", "aabb"}), mask_of({"aabb", "aabb"}), 2, 4) == std::vector<std::string>{".bb.", ".bb."});
  CHECK(drawn(mask_of({"....", ".aa.", "...."}), mask_of({"....", ".bb.", "...."}), 3, 4) ==
        std::vector<std::string>{"....", ".pp.", "...."});
  CHECK(drawn(mask_of({"..", ".."}), mask_of({"..", ".."}), 2, 2) == std::vector<std::string>{"..", ".."});

  // At another size than the picture's the contour stays one pixel thin.
  CHECK(drawn(mask_of({"...", ".a.", "..."}), mask_of({"...", "...", "..."}), 9, 9) ==
        std::vector<std::string>{".........", ".........", ".........", "...rrr...", "...r.r...", "...rrr...",
                                 ".........", ".........", "........."});
  Mask ignored(2, 2, -1);
  CHECK(drawn(ignored, ignored, 2, 2) == std::vector<std::string>{"..", ".."});
  Bytes8 picture{2, 2, 3, std::vector<std::uint8_t>(12)};
  CHECK_THROWS(draw_contours(picture, Mask(2, 2), Mask(2, 3)));
}

TEST_CASE("of a volume the slice with the most foreground in either mask is shown") {
  const Mask none(4, 4);
  Mask few(4, 4), some(4, 4), most(4, 4, 1);
  few.values[0] = 1;
  for (int i = 0; i < 6; ++i) some.values[i] = 2;
  CHECK(fullest_slice({few, none, some}, {few, none, none}) == 2);  // the reference is largest
  CHECK(fullest_slice({few, none, some}, {few, most, none}) == 1);  // the error is
  CHECK(fullest_slice({none, none}, {none, none}) == 0);
  Mask unknown(4, 4, 9);
  CHECK(fullest_slice({few, unknown}, {few, most}, 9) == 0);  // nobody knows what is there
}

TEST_CASE("a picture is shrunk by means, and further until it fits its bytes") {
  Bytes8 p{2, 4, 1, {0, 10, 100, 100, 20, 10, 100, 101}};
  const Bytes8 half = shrunk_to(p, 2);
  CHECK(half.h == 1);
  CHECK(half.w == 2);
  CHECK(half.bytes == std::vector<std::uint8_t>{10, 100});
  CHECK(shrunk_to(p, 4).bytes == p.bytes);

  std::mt19937 random(4);
  Bytes8 noise{200, 300, 3, {}};
  for (int i = 0; i < 200 * 300 * 3; ++i) noise.bytes.push_back(static_cast<std::uint8_t>(random()));
  const auto draw = [&](std::int64_t side) { return shrunk_to(noise, side); };
  CHECK(fitting_png(1000, 1'000'000, draw) == png_data_uri(noise));
  const std::string fitted = fitting_png(1000, 50'000, draw);
  CHECK(fitted.size() <= 50'000);
  CHECK(fitted.size() > 25'000);  // no smaller than it must be
  CHECK(fitting_png(1000, 10, draw) == png_data_uri(shrunk_to(noise, 16)));
}

TEST_CASE("overlays.json: read back as written, whatever a case is called") {
  const TemporaryFolder folder;
  CHECK(read_case_pictures(folder.path()).empty());
  CaseGallery g(1);
  for (const double score : {0.5, 0.25, 0.75})
    g.add({g.count(), "a \"case\" \xff", score, "", ""},
          [](GalleryCase& c) { c.place = "slice 3", c.image_uri = "data:image/png;base64,AA=="; });
  write_case_pictures(folder.path(), g);
  const auto read = read_case_pictures(folder.path());
  REQUIRE(read.size() == 2);
  CHECK(read.at(1).score == 0.25);
  CHECK(read.at(2).score == 0.75);
  CHECK(read.at(2).place == "slice 3");
  CHECK(read.at(2).name.starts_with("a \"case\" "));
  CHECK(read.at(2).image_uri == "data:image/png;base64,AA==");
  write_text(folder / "overlays.json", R"({"format": "graphflow overlays 1", "cases": [{"index": 1}]})");
  CHECK(contains(error_of([&] { read_case_pictures(folder.path()); }), "3: broken pictures of cases"));
  write_text(folder / "overlays.json", "{");
  CHECK(contains(error_of([&] { read_case_pictures(folder.path()); }), "3: not a JSON file"));
}
