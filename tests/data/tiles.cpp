// Tiles of large pictures: grids, mirrors, Pillow's numbers, and that the parts make the whole.
#include "data/tiles.h"

#include "data/case.h"
#include "engine/io/npz.h"
#include "tests/data/fixtures.h"
#include "tests/harness/golden_folder.h"

namespace gf {
namespace {

using namespace fixtures;

// Every place has a value of its own, modulo a prime.
Mask numbered(std::int64_t h, std::int64_t w) {
  Mask m(h, w);
  for (std::size_t i = 0; i < m.values.size(); ++i) m.values[i] = static_cast<std::int32_t>(i % 65521);
  return m;
}

TEST_CASE("tiles: a quarter of the size as Pillow makes it, to the bit") {
  const NpzFile golden(test::golden_folder() + "layout_resize.npz");
  Picture picture(40, 64, 3);
  picture.pixels = golden.floats("picture");
  const Picture small = quarter_size(picture);
  CHECK(small.h == 10);
  CHECK(small.w == 16);
  CHECK(small.pixels == golden.floats("small"));

  Mask mask(40, 64);
  const std::vector<float> stored = golden.floats("mask"), nearest = golden.floats("nearest");
  std::copy(stored.begin(), stored.end(), mask.values.begin());
  const Mask tile = cut_tile(mask, training_tiles({40, 64}), 0);
  for (std::int64_t y = 0; y < 10; ++y)
    for (std::int64_t x = 0; x < 16; ++x) CHECK(tile.at(y, x) == static_cast<std::int32_t>(nearest[y * 16 + x]));

  // Areas of one colour: their middles show Pillow's gray of it.
  Picture areas(1024, 1024, 3);
  for (std::int64_t y = 0; y < 1020; ++y)
    for (std::int64_t x = 0; x < 1024; ++x)
      for (std::int64_t c = 0; c < 3; ++c) areas.at(y, x, c) = small.at(y / 102, x / 64, c);
  const Picture gray = cut_tile(areas, training_tiles({1024, 1024}), 0, 1);
  const std::vector<float> luma = golden.floats("luma");
  for (std::int64_t y = 0; y < 10; ++y)
    for (std::int64_t x = 0; x < 16; ++x) CHECK(gray.at((102 * y + 51) / 4, 16 * x + 8) == luma[y * 16 + x] / 255);
}

TEST_CASE("tiles: the published numbers for 2048 x 2048") {
  const TileGrid train = training_tiles({2048, 2048}), test = test_tiles({2048, 2048});
  CHECK(train.count() == 4);
  CHECK(test.count() == 64);
  CHECK(test.margin == 384);
  CHECK(test.step == 256);
  CHECK(test.core == 64);
  CHECK(test.offset == 96);
  CHECK(training_tiles({2049, 1024}).rows == 3);
  CHECK(test_tiles({300, 2048}).rows == 2);
}

TEST_CASE("tiles: masks at a quarter take Pillow's nearest pixel, and what lies beyond is background or a mirror") {
  const Mask m = numbered(1100, 1300);
  const TileGrid train = training_tiles({m.h, m.w});
  REQUIRE(train.count() == 4);
  const Mask last = cut_tile(m, train, 3);
  CHECK(last.at(0, 0) == m.at(1026, 1026));
  CHECK(last.at(18, 68) == m.at(1024 + 74, 1024 + 274));
  CHECK(last.at(19, 0) == 0);  // row 1102
  CHECK(last.at(0, 69) == 0);  // column 1302
  const TileGrid test = test_tiles({m.h, m.w});
  const Mask first = cut_tile(m, test, 0);
  CHECK(first.at(96, 96) == m.at(2, 2));
  CHECK(first.at(0, 0) == m.at(382, 382));  // 384 before the border, its pixel not repeated
  CHECK(first.at(95, 96) == m.at(2, 2));    // row -2
  CHECK(first.at(94, 96) == m.at(6, 2));    // row -6
  const Mask corner = cut_tile(m, test, test.count() - 1);
  const std::int64_t row = 4 * 256 - 384 + 4 * 200 + 2;  // of tile row 4, pixel 200
  CHECK(corner.at(200, 96) == m.at(2 * (m.h - 1) - row, 5 * 256 + 2));
  CHECK_THROWS_AS(cut_tile(m, test, test.count()), Error);
}

TEST_CASE("tiles: put together they are the mask's quarter, from either grid, at any size") {
  for (const Extent e : {Extent{1100, 1300}, Extent{2048, 1024}, Extent{100, 70}}) {
    const Mask m = numbered(e.h, e.w);
    for (const TileGrid& grid : {training_tiles(e), test_tiles(e)}) {
      std::vector<Mask> tiles;
      for (std::int64_t i = 0; i < grid.count(); ++i) tiles.push_back(cut_tile(m, grid, i));
      const Mask whole = merge_tiles(tiles, grid);
      REQUIRE(whole.h == e.h);
      REQUIRE(whole.w == e.w);
      std::int64_t wrong = 0;
      for (std::int64_t y = 0; y + 2 < e.h; ++y)
        for (std::int64_t x = 0; x + 2 < e.w; ++x) {
          const std::int64_t v = y / 4 * 4 + 2, u = x / 4 * 4 + 2;
          if (v < e.h && u < e.w) wrong += whole.at(y, x) != m.at(v, u);
        }
      CHECK(wrong == 0);
      CHECK(tile_cores(tiles, grid).h == grid.rows * grid.core);
      if (grid.mirrored) {  // as the authors cut them: one pixel up and left
        const Mask cores = tile_cores(tiles, grid), theirs = tile_cores(tiles, grid, -1);
        CHECK(theirs.at(1, 1) == cores.at(0, 0));
        CHECK(theirs.at(0, 0) == tiles[0].at(95, 95));
      }
      tiles.pop_back();
      CHECK_THROWS_AS(merge_tiles(tiles, grid), Error);
    }
  }
}

TEST_CASE("tiles: pictures come as 0..1, gray by Pillow's luma") {
  Picture rgb(1024, 1024, 3);
  for (std::size_t i = 0; i < rgb.pixels.size(); ++i) rgb.pixels[i] = i % 3 == 0 ? 200 : i % 3 == 1 ? 100 : 51;
  const TileGrid grid = training_tiles({1024, 1024});
  const Picture gray = cut_tile(rgb, grid, 0, 1), colour = cut_tile(rgb, grid, 0, 3);
  CHECK(gray.c == 1);
  CHECK(gray.at(17, 90) == 124.f / 255);  // 59.8 + 58.7 + 5.8 = 124.3
  CHECK(colour.at(3, 3, 0) == 200.f / 255);
  CHECK(colour.at(255, 255, 2) == 51.f / 255);
  Picture narrow(4, 1028, 1);
  std::fill(narrow.pixels.begin(), narrow.pixels.end(), 255.f);
  const Picture black = cut_tile(narrow, training_tiles({4, 1028}), 1, 3);  // 4 x 4 pixels of picture in the corner
  CHECK(black.at(100, 100, 1) == 0);
  CHECK(black.at(0, 0, 2) > 0);
}

}  // namespace
}  // namespace gf
