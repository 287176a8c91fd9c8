#pragma once
// Large pictures cut into tiles as the authors' scripts cut the gastric cancer pictures (2048 x 2048). A tile shows
// 1024 x 1024 pixels at a quarter of the resolution, 256 x 256: pictures as Pillow's resize(BILINEAR), masks as
// resize(NEAREST), to the bit.
//
//   training    tiles side by side; what lies beyond the picture is black, and background
//   test        tiles 256 pixels apart over the picture mirrored 384 pixels outwards; each answers for its middle
//               64 x 64 pixels (96..159), which together show every place of the picture once
#include <cstdint>
#include <vector>

#include "data/picture.h"

namespace gf {

constexpr std::int64_t kTileView = 1024, kTileSide = 256, kTileShrink = kTileView / kTileSide;

struct TileGrid {
  Extent whole;                       // of the picture in its file
  std::int64_t rows = 0, cols = 0;    // of tiles; tile i lies in row i / cols
  std::int64_t step = 0;              // pixels of the picture from one to the next
  std::int64_t margin = 0;            // the first begins so many pixels before the picture
  bool mirrored = false;              // what is seen beyond the picture: itself in a mirror, else black
  std::int64_t core = 0, offset = 0;  // of a tile's pixels: what it answers for
  std::int64_t count() const { return rows * cols; }
};

TileGrid training_tiles(Extent whole);
TileGrid test_tiles(Extent whole);

// 1 or 3 channels from a picture of 1 or 3, values 0..255 as stored (Pillow's luma); the tile's are 0..1.
Picture cut_tile(const Picture& whole, const TileGrid& grid, std::int64_t index, std::int64_t channels);
Mask cut_tile(const Mask& whole, const TileGrid& grid, std::int64_t index);

// The tiles' cores side by side, a quarter of the picture's size (rounded up to whole cores). The authors' code takes
// cores one pixel up and to the left of the middle: `offset` of -1.
Mask tile_cores(const std::vector<Mask>& tiles, const TileGrid& grid, std::int64_t offset = 0);
// The same at the picture's size.
Mask merge_tiles(const std::vector<Mask>& tiles, const TileGrid& grid);

// Pillow's resize to a quarter of height and width (multiples of 4) with BILINEAR: 8-bit values in, 8-bit values out.
Picture quarter_size(const Picture& picture);

}  // namespace gf
