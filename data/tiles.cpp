#include "data/tiles.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/error.h"

namespace gf {
namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Index i of an axis of n pixels continued on both sides by its mirror image, the border pixels not repeated.
std::int64_t mirrored(std::int64_t i, std::int64_t n) {
  if (n == 1) return 0;
  const std::int64_t period = 2 * (n - 1);
  i = ((i % period) + period) % period;
  return i < n ? i : period - i;
}

// Row or column of the picture that a tile's pixel shows, -1: none.
std::vector<std::int64_t> shown(const TileGrid& g, std::int64_t tile, std::int64_t extent) {
  std::vector<std::int64_t> at(kTileView);
  for (std::int64_t i = 0; i < kTileView; ++i) {
    const std::int64_t p = tile * g.step - g.margin + i;
    at[static_cast<std::size_t>(i)] = g.mirrored ? mirrored(p, extent) : p < extent ? p : -1;
  }
  return at;
}

void check_index(const TileGrid& g, std::int64_t index) {
  if (index < 0 || index >= g.count())
    fail("tile out of range", "picture", fmt::format("0 to {}", g.count() - 1), std::to_string(index));
}

// Pillow's fixed-point weights of a triangle over eight pixels, narrower and rescaled at the borders.
struct Taps {
  std::int64_t first = 0;
  int count = 0;
  std::array<std::int32_t, 2 * kTileShrink> weight{};
};
constexpr int kWeightBits = 22;

std::vector<Taps> taps_of(std::int64_t n_in) {
  std::vector<Taps> all;
  for (std::int64_t i = 0; i < n_in / kTileShrink; ++i) {
    const double centre = (double(i) + 0.5) * kTileShrink;
    Taps t;
    t.first = std::max<std::int64_t>(0, i * kTileShrink - kTileShrink / 2);
    t.count = static_cast<int>(std::min(n_in, i * kTileShrink + 3 * kTileShrink / 2) - t.first);
    std::array<double, 2 * kTileShrink> w{};
    double sum = 0;
    for (int k = 0; k < t.count; ++k) sum += w[k] = 1 - std::abs((double(t.first + k) - centre + 0.5) / kTileShrink);
    for (int k = 0; k < t.count; ++k) t.weight[k] = static_cast<std::int32_t>(0.5 + w[k] / sum * (1 << kWeightBits));
    all.push_back(t);
  }
  return all;
}

std::int32_t weighted(const Taps& t, const std::uint8_t* first, std::int64_t stride) {
  std::int64_t sum = std::int64_t{1} << (kWeightBits - 1);
  for (int k = 0; k < t.count; ++k) sum += std::int64_t{t.weight[k]} * first[k * stride];
  return std::clamp<std::int32_t>(static_cast<std::int32_t>(sum >> kWeightBits), 0, 255);
}

}  // namespace

TileGrid training_tiles(Extent whole) {
  return {whole, ceil_div(whole.h, kTileView), ceil_div(whole.w, kTileView), kTileView, 0, false, kTileSide, 0};
}

TileGrid test_tiles(Extent whole) {
  constexpr std::int64_t step = 256, core = step / kTileShrink;
  return {whole, ceil_div(whole.h, step), ceil_div(whole.w, step), step, (kTileView - step) / 2, true,
          core,  (kTileSide - core) / 2};
}

Picture quarter_size(const Picture& picture) {
  if (picture.h % kTileShrink != 0 || picture.w % kTileShrink != 0)
    fail("picture cannot be quartered", "quarter_size", "multiples of 4", fmt::format("{}x{}", picture.w, picture.h));
  const std::int64_t h = picture.h, w = picture.w / kTileShrink, c = picture.c;
  std::vector<std::uint8_t> wide(picture.pixels.begin(), picture.pixels.end()),
      narrow(static_cast<std::size_t>(h * w * c));
  const std::vector<Taps> columns = taps_of(picture.w), rows = taps_of(picture.h);
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < w; ++x)
      for (std::int64_t k = 0; k < c; ++k)
        narrow[(y * w + x) * c + k] =
            static_cast<std::uint8_t>(weighted(columns[x], &wide[(y * picture.w + columns[x].first) * c + k], c));
  Picture out(h / kTileShrink, w, c);
  for (std::int64_t y = 0; y < out.h; ++y)
    for (std::int64_t i = 0; i < w * c; ++i)
      out.pixels[y * w * c + i] = static_cast<float>(weighted(rows[y], &narrow[rows[y].first * w * c + i], w * c));
  return out;
}

Picture cut_tile(const Picture& whole, const TileGrid& grid, std::int64_t index, std::int64_t channels) {
  check_index(grid, index);
  const std::vector<std::int64_t> rows = shown(grid, index / grid.cols, whole.h),
                                  cols = shown(grid, index % grid.cols, whole.w);
  Picture view(kTileView, kTileView, whole.c);
  for (std::int64_t y = 0; y < kTileView; ++y)
    for (std::int64_t x = 0; x < kTileView; ++x)
      if (rows[y] >= 0 && cols[x] >= 0)
        std::copy_n(&whole.pixels[(rows[y] * whole.w + cols[x]) * whole.c], whole.c, &view.at(y, x));
  const Picture small = quarter_size(view);
  Picture tile(kTileSide, kTileSide, channels);
  for (std::int64_t p = 0; p < kTileSide * kTileSide; ++p) {
    const float* v = &small.pixels[p * small.c];
    if (small.c == 3 && channels == 1) {
      const auto luma = static_cast<std::uint32_t>(v[0]) * 19595 + static_cast<std::uint32_t>(v[1]) * 38470 +
                        static_cast<std::uint32_t>(v[2]) * 7471 + 0x8000;
      tile.pixels[p] = static_cast<float>(luma >> 16) / 255;
    } else {
      for (std::int64_t k = 0; k < channels; ++k) tile.pixels[p * channels + k] = v[small.c == 1 ? 0 : k] / 255;
    }
  }
  return tile;
}

Mask cut_tile(const Mask& whole, const TileGrid& grid, std::int64_t index) {
  check_index(grid, index);
  const std::vector<std::int64_t> rows = shown(grid, index / grid.cols, whole.h),
                                  cols = shown(grid, index % grid.cols, whole.w);
  Mask tile(kTileSide, kTileSide);
  for (std::int64_t y = 0; y < kTileSide; ++y)
    for (std::int64_t x = 0; x < kTileSide; ++x) {
      const std::int64_t v = rows[y * kTileShrink + kTileShrink / 2], u = cols[x * kTileShrink + kTileShrink / 2];
      if (v >= 0 && u >= 0) tile.at(y, x) = whole.at(v, u);
    }
  return tile;
}

Mask tile_cores(const std::vector<Mask>& tiles, const TileGrid& g, std::int64_t offset) {
  if (static_cast<std::int64_t>(tiles.size()) != g.count())
    fail("cannot put tiles together", "tile_cores", fmt::format("{} tiles", g.count()), std::to_string(tiles.size()));
  const std::int64_t from = g.offset + offset;
  if (from < 0 || from + g.core > kTileSide)
    fail("tile cores out of range", "tile_cores", "inside the tile", std::to_string(from));
  Mask out(g.rows * g.core, g.cols * g.core);
  for (std::int64_t i = 0; i < g.count(); ++i) {
    const Mask& tile = tiles[static_cast<std::size_t>(i)];
    if (tile.h != kTileSide || tile.w != kTileSide)
      fail("tile has another size", "tile_cores", fmt::format("{0}x{0}", kTileSide), tile.size_text());
    for (std::int64_t y = 0; y < g.core; ++y)
      std::copy_n(&tile.values[(from + y) * tile.w + from], g.core,
                  &out.values[(i / g.cols * g.core + y) * out.w + i % g.cols * g.core]);
  }
  return out;
}

Mask merge_tiles(const std::vector<Mask>& tiles, const TileGrid& g) {
  const Mask small = tile_cores(tiles, g);
  Mask out(g.whole.h, g.whole.w);
  for (std::int64_t y = 0; y < out.h; ++y)
    for (std::int64_t x = 0; x < out.w; ++x) out.at(y, x) = small.at(y / kTileShrink, x / kTileShrink);
  return out;
}

}  // namespace gf
