// Against scipy.ndimage.zoom (tests/golden/make_zoom.py).
#include "data/zoom.h"

#include <cstdio>

#include "engine/io/safetensors.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

// The picture of make_zoom.py.
Picture rough(std::int64_t h, std::int64_t w) {
  Picture p(h, w, 1);
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < w; ++x)
      p.at(y, x) = static_cast<float>((y * 7919 + x * 104729 + y * x * 31 + 5) % 4096) / 4096;
  return p;
}

const SafetensorsFile& golden() {
  static const SafetensorsFile file(std::string(GF_SOURCE_DIR) + "/tests/golden/zoom.safetensors");
  return file;
}

double greatest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double(a[i]) - b[i]));
  return most;
}

TEST_CASE("zoom: SciPy's values at orders 0, 1 and 3, for growing, shrinking, single rows and single pixels") {
  int cases = 0;
  for (const FileTensor& t : golden().tensors()) {
    int h, w, to_h, to_w, order;
    if (std::sscanf(t.name.c_str(), "%dx%d_%dx%d/%d", &h, &w, &to_h, &to_w, &order) != 5 || h == 512) continue;
    CAPTURE(t.name);
    const Picture p = rough(h, w), z = zoom(p, to_h, to_w, order, ZoomBorder::scipy);
    CHECK(z.h == to_h);
    CHECK(z.w == to_w);
    CHECK(greatest_difference(z.pixels, golden().floats(t.name)) < 1e-6);
    ++cases;
    // Channels do not touch each other.
    Picture two(h, w, 2);
    for (std::size_t i = 0; i < p.pixels.size(); ++i) two.pixels[2 * i] = p.pixels[i], two.pixels[2 * i + 1] = 7;
    const Picture both = zoom(two, to_h, to_w, order, ZoomBorder::scipy);
    for (std::size_t i = 0; i < z.pixels.size(); ++i) {
      CHECK(both.pixels[2 * i] == z.pixels[i]);
      CHECK((both.pixels[2 * i + 1] == doctest::Approx(7) || z.pixels[i] == 0));
    }
  }
  CHECK(cases == 30);
}

TEST_CASE("zoom: 512 to 224 loses its last row and column with SciPy, and keeps them without") {
  const Picture p = rough(512, 512);
  const std::vector<std::int32_t> kept = golden().integers("kept");
  for (const int order : {0, 1, 3}) {
    CAPTURE(order);
    const Picture z = zoom(p, 224, 224, order, ZoomBorder::scipy), clamped = zoom(p, 224, 224, order);
    std::vector<float> rows, columns;
    for (const std::int32_t y : kept)
      for (int x = 0; x < 224; ++x) rows.push_back(z.at(y, x));
    for (int y = 0; y < 224; ++y)
      for (const std::int32_t x : kept) columns.push_back(z.at(y, x));
    const std::string name = "512x512_224x224/" + std::to_string(order);
    CHECK(greatest_difference(rows, golden().floats(name + "/rows")) < 1e-6);
    CHECK(greatest_difference(columns, golden().floats(name + "/columns")) < 1e-6);
    int zeros = 0;
    for (int y = 0; y < 224; ++y)
      for (int x = 0; x < 224; ++x) {
        if (y < 223 && x < 223)
          CHECK(z.at(y, x) == clamped.at(y, x));
        else
          zeros += z.at(y, x) == 0;
      }
    CHECK(zeros == 447);
    CHECK(clamped.at(223, 223) == doctest::Approx(p.at(511, 511)));
  }
}

TEST_CASE("zoom: labels to another size and back") {
  Mask labels(256, 256);
  const Picture p = rough(256, 256);
  for (std::size_t i = 0; i < labels.values.size(); ++i) labels.values[i] = static_cast<std::int32_t>(p.pixels[i] * 9);
  const Mask small = zoom(labels, 56, 56, ZoomBorder::scipy), back = zoom(small, 256, 256, ZoomBorder::scipy);
  CHECK(small.values == golden().integers("labels_56x56"));
  const std::vector<std::int32_t> rows = golden().integers("labels_256x256/rows");
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(back.values[i / 256 * 51 * 256 + i % 256] == rows[i]);
  CHECK(zoom(labels, 256, 256).values == labels.values);
  CHECK_THROWS_AS(zoom(labels, 0, 5), Error);
  CHECK_THROWS_AS(zoom(p, 5, 5, 2), Error);
}

}  // namespace
}  // namespace gf
