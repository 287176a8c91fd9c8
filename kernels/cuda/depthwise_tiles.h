#pragma once
// How depthwise.cu walks an image: forward and input gradient in the same words, and how the work is cut into blocks.
#include <algorithm>
#include <numeric>

#include "kernels/convolution.h"
#include "kernels/launch.h"

namespace gf::depthwise {

constexpr int kThreads = 256;
constexpr int kStrip = 4;  // outputs a thread holds, which share what it loads

// One direction of a sum over taps. The outputs q = 0, 1, ... stand at phase + q * period; the m-th term of one reads
// the source at first + q * stride + m * unit and the kernel's tap + m * tap_step.
struct Axis {
  int outputs, phase, period;
  int first, stride, unit;
  int taps, tap, tap_step;
  int spacing;  // outputs that far apart read sources that are multiples of `unit` apart, so neighbours share most

  __device__ int position(int q) const { return phase + q * period; }
  __device__ int source(int q, int m) const { return first + q * stride + m * unit; }
  __device__ int tap_at(int m) const { return tap + m * tap_step; }
  // A strip is kStrip outputs, `spacing` apart. Where it begins:
  __device__ int strip_begin(int strip) const { return strip / spacing * (spacing * kStrip) + strip % spacing; }
  std::int64_t strips() const { return spacing * blocks_for(outputs, spacing * kStrip); }
};

inline Axis forward_axis(std::int64_t outputs, std::int64_t taps, int stride, int pad, int dilation) {
  const int spacing = dilation / std::gcd(stride, dilation);
  return {static_cast<int>(outputs), 0, 1, -pad, stride, dilation, static_cast<int>(taps), 0, 1, spacing};
}

// The input gradient at i sums over the taps t for which (i + pad - t * dilation) / stride is whole: it is the dy that
// tap t meets. Which taps these are depends on i modulo the stride only, and of one such phase they are evenly spaced,
// from the last to the first so that the sources ascend. There may be none.
inline Axis gradient_axis(std::int64_t inputs, std::int64_t kernel, int stride, int pad, int dilation, int phase) {
  const int k = static_cast<int>(kernel), step = stride / std::gcd(stride, dilation);
  const int outputs = (static_cast<int>(inputs) - phase + stride - 1) / stride;
  int t = 0;
  while (t < k && (phase + pad - t * dilation) % stride != 0) ++t;
  if (t == k) return {outputs, phase, stride, 0, 1, 1, 0, 0, 0, 1};
  const int taps = (k - 1 - t) / step + 1, last = t + (taps - 1) * step, unit = step * dilation / stride;
  return {outputs, phase, stride, (phase + pad - last * dilation) / stride, 1, unit, taps, last, -step, unit};
}

// The row phases of one launch.
struct Rows {
  Axis phase[2];
  int count;
};

// A block's threads (x,y,z): packs of channels, strips beside each other, lines below each other. Lines are counted
// through all images. A block walks down `lines_per_block` of them in a column of a few strips, which is narrow enough
// for the first-level cache to keep the rows that its neighbours below read again.
struct Tiles {
  int lanes, strips, rows;
  int channel_tiles, column_tiles, lines_per_block;
  std::int64_t line_blocks;

  // `groups` threads work on every strip.
  Tiles(std::int64_t packs, std::int64_t strips_across, std::int64_t lines, int groups) {
    constexpr int kMaxLanes = 16, kMaxStrips = 4, kMaxBlockZ = 64;
    channel_tiles = static_cast<int>(blocks_for(packs, kMaxLanes));
    lanes = static_cast<int>(blocks_for(packs, channel_tiles));
    column_tiles = static_cast<int>(blocks_for(strips_across, std::min(kMaxStrips, kThreads / (lanes * groups))));
    strips = static_cast<int>(blocks_for(strips_across, column_tiles));
    const int most = std::min(kThreads / (lanes * strips * groups), kMaxBlockZ / groups);
    rows = static_cast<int>(std::clamp<std::int64_t>(lines, 1, most));
    cut_lines(lines, 1);
  }
  void cut_lines(std::int64_t lines, std::int64_t steps) {
    lines_per_block = static_cast<int>(rows * steps);
    line_blocks = blocks_for(lines, lines_per_block);
  }
  std::int64_t pixel_blocks() const { return line_blocks * column_tiles; }
  std::int64_t blocks() const { return pixel_blocks() * channel_tiles; }
};

}  // namespace gf::depthwise
