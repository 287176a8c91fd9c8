// TIFF files of tests/golden/make_layouts.py: by tifffile and Pillow, values by formula.
#include <cmath>

#include "data/image.h"
#include "data/png.h"
#include "tests/data/fixtures.h"
#include "tests/harness/golden_folder.h"

namespace gf {
namespace {

using namespace fixtures;

std::string golden(const std::string& name) { return test::golden_folder() + "layout_" + name; }

void check_ramp(const std::string& name, std::int64_t h, std::int64_t w, std::int64_t c, double modulus,
                double scale = 1, double offset = 0) {
  CAPTURE(name);
  const Picture p = read_image(golden(name));
  REQUIRE(p.h == h);
  REQUIRE(p.w == w);
  REQUIRE(p.c == c);
  CHECK((read_image_extent(golden(name)) == Extent{h, w}));
  int wrong = 0;
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < w; ++x)
      for (std::int64_t k = 0; k < c; ++k)
        wrong +=
            p.at(y, x, k) != static_cast<float>(std::fmod(double(7 * y + 13 * x + 50 * k), modulus) * scale + offset);
  CHECK(wrong == 0);
}

TEST_CASE("tiff pictures: strips, tiles, planes, byte orders, compressions") {
  check_ramp("gray8_lzw.tif", 20, 30, 1, 256);
  check_ramp("gray16_be.tif", 20, 30, 1, 65536, 40);
  check_ramp("rgb_tiles.tif", 40, 50, 3, 256);
  check_ramp("rgb_planes.tif", 20, 30, 3, 256);
  check_ramp("float.tif", 20, 30, 1, 256, 0.125, -3);
  check_ramp("white_is_zero.tif", 20, 30, 1, 256, -1, 255);
  const Picture jpeg = read_image(golden("jpeg.tif"));
  CHECK(jpeg.c == 3);
  double apart = 0;
  for (std::int64_t y = 0; y < jpeg.h; ++y)
    for (std::int64_t x = 0; x < jpeg.w; ++x) apart += std::abs(jpeg.at(y, x, 0) - float((7 * y + 13 * x) % 256)) / 600;
  CHECK(apart < 20);  // lossy
  const Picture palette = read_image(golden("palette.tif"));
  REQUIRE(palette.c == 3);
  CHECK(palette.at(0, 1, 2) == 255);  // index 3: blue
  CHECK(palette.at(0, 1, 0) == 0);
}

TEST_CASE("tiff masks: values and palette indices as stored, RGB where it is gray") {
  const auto holds_ramp = [](const std::string& name, int modulus, int scale) {
    CAPTURE(name);
    const Mask m = read_mask(golden(name));
    REQUIRE(m.h == 20);
    REQUIRE(m.w == 30);
    int wrong = 0;
    for (std::int64_t y = 0; y < m.h; ++y)
      for (std::int64_t x = 0; x < m.w; ++x) wrong += m.at(y, x) != (7 * y + 13 * x) % modulus * scale;
    CHECK(wrong == 0);
  };
  holds_ramp("palette.tif", 5, 1);
  holds_ramp("gray8_lzw.tif", 256, 1);
  holds_ramp("gray16_be.tif", 65536, 40);
  holds_ramp("rgb_mask.tif", 2, 255);
  const Mask bits = read_mask(golden("bits.tif")), four = read_mask(golden("four_bits.tif"));
  REQUIRE(bits.h * bits.w == 600);
  REQUIRE(four.h == 5);
  REQUIRE(four.w == 7);
  int wrong = 0;
  for (std::int64_t y = 0; y < 20; ++y)
    for (std::int64_t x = 0; x < 30; ++x) {
      const std::int64_t v = 7 * y + 13 * x;
      wrong += bits.at(y, x) != (v % 3 == 1);
      if (y < 5 && x < 7) wrong += four.at(y, x) != v % 16;
    }
  CHECK(wrong == 0);
  CHECK(holds(message_of([] { read_mask(golden("rgb_tiles.tif")); }), "RGB (0, 50, 100) at (0, 0)"));
  CHECK(holds(message_of([] { read_mask(golden("float.tif")); }), "no labels"));
}

TEST_CASE("tiff: what cannot be read is said with the file") {
  CHECK(holds(message_of([] { read_image(golden("pages.tif")); }), "one page"));
  CHECK(holds(message_of([] { read_image(golden("signed.tif")); }), "unsigned integers"));
  const TemporaryFolder folder;
  const std::string path = folder / "t.tif";
  for (const char* name : {"gray8_lzw.tif", "rgb_tiles.tif", "palette.tif", "bits.tif", "jpeg.tif"}) {
    const Bytes whole = read_bytes(golden(name));
    for (std::size_t n = 0; n + 8 < whole.size(); n += 41) {  // some writers put the directory last
      write_bytes(path, Bytes(whole.begin(), whole.begin() + static_cast<long>(n)));
      try {
        read_image(path);
      } catch (const Error& e) {
        CHECK(e.kind() == ErrorKind::bad_data);
        CHECK(holds(e.what(), path));
      }
    }
    for (std::size_t at = 4; at < whole.size(); at += 3) {  // damage anywhere: an answer or an error, nothing else
      Bytes bad = whole;
      bad[at] ^= 0xa5;
      write_bytes(path, bad);
      for (const bool mask : {false, true}) try {
          mask ? void(read_mask(path)) : void(read_image(path));
        } catch (const Error& e) {
          CHECK(e.kind() == ErrorKind::bad_data);
        }
    }
  }
  Bytes cut = read_bytes(golden("gray8_lzw.tif"));
  cut.erase(cut.end() - 100, cut.end());
  write_bytes(path, cut);
  CHECK(holds(message_of([&] { read_image(path); }), "cannot read TIFF file"));
}

TEST_CASE("pictures of impossible sizes are refused before memory is asked for") {
  const TemporaryFolder folder;
  const std::string path = folder / "big.bmp";
  Bytes bmp(58);
  bmp[0] = 'B', bmp[1] = 'M', bmp[10] = 54, bmp[14] = 40, bmp[26] = 1, bmp[28] = 24;
  bmp[19] = bmp[23] = 0x7f;  // 32512 x 32512
  write_bytes(path, bmp);
  CHECK(holds(message_of([&] { read_image(path); }), "larger than its file can hold"));
  bmp[20] = 1;  // 98048 wide
  write_bytes(path, bmp);
  CHECK(holds(message_of([&] { read_image(path); }), path));
  CHECK(holds(message_of([&] { read_image(folder.path()); }), "a directory"));
  CHECK(holds(message_of([&] { read_mask(folder.path()); }), "a directory"));
}

TEST_CASE("names with spaces and bytes that are no UTF-8") {
  const TemporaryFolder folder;
  for (const char* name : {"a b (1).png", "na\xefve \xff.png", "tab\there.png"}) {
    const std::string path = folder / name;
    Mask m(2, 3);
    m.values = {0, 1, 2, 3, 4, 5};
    write_png_mask(path, m);
    CHECK(read_mask(path).values == m.values);
    CHECK(read_image(path).pixels[5] == 5);
    CHECK((read_image_extent(path) == Extent{2, 3}));
  }
}

}  // namespace
}  // namespace gf
