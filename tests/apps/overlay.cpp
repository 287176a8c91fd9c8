#include "apps/report/overlay.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "data/image.h"
#include "tests/apps/fixtures.h"
#include "tests/apps/sample_report.h"

using namespace gf;

namespace {

std::array<int, 3> pixel(const Bytes8& b, std::int64_t y, std::int64_t x) {
  const auto at = static_cast<std::size_t>((y * b.w + x) * 3);
  return {b.bytes[at], b.bytes[at + 1], b.bytes[at + 2]};
}

std::string decoded(const std::string& text) {
  static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  unsigned word = 0, bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    word = word << 6 | static_cast<unsigned>(digits.find(c));
    if ((bits += 6) >= 8) out += static_cast<char>(word >> (bits -= 8) & 255);
  }
  return out;
}

}  // namespace

TEST_CASE("base64 of the standard's examples") {
  const auto encode = [](const std::string& s) {
    return base64({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()});
  };
  CHECK(encode("") == "");
  CHECK(encode("f") == "Zg==");
  CHECK(encode("fo") == "Zm8=");
  CHECK(encode("foo") == "Zm9v");
  CHECK(encode("foobar") == "Zm9vYmFy");
  CHECK(encode("\xff\xfe\xfd") == "//79");
}

TEST_CASE("an overlay survives PNG and base64") {
  const Picture picture = sample_picture(31, 33);
  const Bytes8 drawn = draw_overlay(picture, sample_mask(31, 33, 5, 0));
  CHECK(drawn.h == 62);
  CHECK(drawn.w == 66);
  const std::string uri = png_data_uri(drawn), prefix = "data:image/png;base64,";
  REQUIRE(uri.starts_with(prefix));
  const TemporaryFolder folder;
  write_text(folder / "o.png", decoded(uri.substr(prefix.size())));
  const Picture back = read_image(folder / "o.png");
  REQUIRE(back.h == 62);
  REQUIRE(back.w == 66);
  REQUIRE(back.c == 3);
  for (std::size_t i = 0; i < drawn.bytes.size(); ++i) REQUIRE(back.pixels[i] == drawn.bytes[i]);
}

TEST_CASE("contours carry the class colour, insides are blended, background is the stretched picture") {
  Picture picture(9, 9, 1);
  for (std::int64_t i = 0; i < 81; ++i)
    picture.pixels[static_cast<std::size_t>(i)] = static_cast<float>(i % 9 < 4 ? 100 : 300);
  Mask mask(9, 9);
  for (int y = 2; y < 7; ++y) {
    for (int x = 2; x < 7; ++x) mask.at(y, x) = 3;
  }
  mask.at(8, 8) = -1;  // ignored
  const Bytes8 o = draw_overlay(picture, mask, {.scale = 1, .fill = 0.5});
  const auto [r, g, b] = class_color(3);
  CHECK(pixel(o, 2, 4) == std::array<int, 3>{r, g, b});
  CHECK(pixel(o, 6, 6) == std::array<int, 3>{r, g, b});
  CHECK(pixel(o, 0, 0) == std::array<int, 3>{0, 0, 0});
  CHECK(pixel(o, 8, 8) == std::array<int, 3>{255, 255, 255});
  CHECK(pixel(o, 4, 3) == std::array<int, 3>{(r + 1) / 2, (g + 1) / 2, (b + 1) / 2});  // over black
  CHECK(std::abs(pixel(o, 4, 5)[0] - (r + 255) / 2) <= 1);                             // over white
  const Bytes8 plain = draw_overlay(picture, mask, {.scale = 1, .fill = 0, .contours = false});
  CHECK(plain.bytes == draw_overlay(picture, {}, {.scale = 1}).bytes);
}

TEST_CASE("contours stay one pixel thin when the picture is enlarged") {
  Mask mask(8, 8);
  for (int y = 2; y < 6; ++y) {
    for (int x = 2; x < 6; ++x) mask.at(y, x) = 1;
  }
  const Bytes8 o = draw_overlay(Picture(8, 8, 1), mask, {.scale = 4, .fill = 0});
  const auto [r, g, b] = class_color(1);
  int colored = 0;
  for (std::int64_t y = 0; y < o.h; ++y) {
    for (std::int64_t x = 0; x < o.w; ++x) colored += pixel(o, y, x) == std::array<int, 3>{r, g, b};
  }
  CHECK(colored == 4 * 16 - 4);
}

TEST_CASE("a quarter turn brings the right edge to the top, four turns nothing") {
  Picture picture(2, 3, 1);  // 0 1 2 / 3 4 5
  for (int i = 0; i < 6; ++i) picture.pixels[static_cast<std::size_t>(i)] = static_cast<float>(i);
  const Mask none;
  const Bytes8 turned = draw_overlay(picture, none, {.scale = 1, .quarter_turns = 1});
  REQUIRE(turned.h == 3);
  REQUIRE(turned.w == 2);
  const Bytes8 straight = draw_overlay(picture, none, {.scale = 1});
  CHECK(pixel(turned, 0, 0) == pixel(straight, 0, 2));
  CHECK(pixel(turned, 0, 1) == pixel(straight, 1, 2));
  CHECK(pixel(turned, 2, 1) == pixel(straight, 1, 0));
  CHECK(draw_overlay(picture, none, {.scale = 1, .quarter_turns = 4}).bytes == straight.bytes);
  CHECK(draw_overlay(picture, none, {.scale = 1, .quarter_turns = -3}).bytes == turned.bytes);
}

TEST_CASE("RGB keeps its colours, NaN is black, constant pictures do not divide by zero") {
  Picture rgb(1, 2, 3);
  rgb.pixels = {0, 0, 0, 255, 128, 0};
  CHECK(pixel(draw_overlay(rgb, {}, {.scale = 1}), 0, 1) == std::array<int, 3>{255, 128, 0});
  Picture odd(1, 3, 1);
  odd.pixels = {NAN, 1, 2};
  CHECK(pixel(draw_overlay(odd, {}, {.scale = 1}), 0, 0)[0] == 0);
  Picture flat(2, 2, 1);
  flat.pixels = {7, 7, 7, 7};
  CHECK(pixel(draw_overlay(flat, {}, {.scale = 1}), 0, 0)[0] == 0);
}

TEST_CASE("sizes that differ are refused") {
  CHECK(contains(error_of([] { draw_overlay(Picture(4, 5, 1), Mask(5, 4)); }), "expected 4 x 5, found 5 x 4"));
}

TEST_CASE("classes have colours of their own") {
  std::set<std::array<std::uint8_t, 3>> colors;
  for (const auto& c : class_palette(64)) colors.insert(c);
  CHECK(colors.size() == 64);
  CHECK(class_color(0) == std::array<std::uint8_t, 3>{0, 0, 0});
}
