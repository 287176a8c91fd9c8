#pragma once
// The channels of a pixel in registers, for kernels that go over them several times: softmax and what is built on it.
//
// A pixel belongs to a group of neighbouring lanes, at most a warp. Its lane l holds packs l, l + lanes, l + 2 lanes,
// ... of kWidth channels, so a group's reads join, and few channels leave few lanes idle. Groups of a block lie on
// neighbouring pixels and take several, one after the other. All lanes take the same number of turns and so meet in
// every shuffle; turns beyond the last pixel work on that pixel again and count for nothing.
#include <algorithm>

#include "kernels/cuda/element.h"

namespace gf {

constexpr int kWarpLanes = 32;
constexpr int kRowThreads = 256;
constexpr int kRowWarps = kRowThreads / kWarpLanes;
constexpr int kMaxRowChannels = 512;

template <class T>
struct Rows {
  T* data;
  std::int64_t pixel_stride;

  __device__ T* at(unsigned pixel) const { return data + pixel * pixel_stride; }
};

// A view's pixels. T is the element's type, const for a view that is only read.
template <class T, class V>
Rows<T> rows_of(const V& v) {
  return {static_cast<T*>(v.data), v.pixel_stride};
}

// How pixels are shared out between lanes, groups and blocks: a function of the shape and the pack width only.
struct PixelCut {
  int c;
  unsigned pixels;
  unsigned shift = 0;  // 2^shift lanes a pixel
  unsigned turns = 1;  // pixels a group takes

  PixelCut(const ConstView& v, int width) : c(static_cast<int>(v.c)), pixels(static_cast<unsigned>(v.pixels())) {
    constexpr std::int64_t kFewestTurns = 4, kMostBlocks = 2048;
    const int packs = c / width, packs_a_lane = width == 1 ? 4 : 1;
    while (shift < 5 && packs_a_lane << shift < packs) ++shift;
    const std::int64_t groups = kRowThreads >> shift;
    turns = static_cast<unsigned>(std::max(kFewestTurns, blocks_for(pixels, groups * kMostBlocks)));
  }
  std::int64_t blocks() const { return blocks_for(pixels, std::int64_t{turns} * (kRowThreads >> shift)); }

  __device__ unsigned lane() const { return threadIdx.x & ((1u << shift) - 1); }
  __device__ unsigned pixel(unsigned turn) const {
    return (blockIdx.x * turns + turn) * (kRowThreads >> shift) + (threadIdx.x >> shift);
  }
  // Over the lanes of a group; every one gets the same bits.
  __device__ float sum(float v) const {
    for (int step = 1 << shift >> 1; step > 0; step /= 2) v += __shfl_xor_sync(0xffffffffu, v, step);
    return v;
  }
  __device__ float largest(float v) const {
    for (int step = 1 << shift >> 1; step > 0; step /= 2) {
      const float other = __shfl_xor_sync(0xffffffffu, v, step);
      v = other > v ? other : v;
    }
    return v;
  }
};

// One lane's channels of a pixel. What it holds beyond the last channel is never looked at.
template <class T, int kWidth, int kPacks>
class Row {
 public:
  using Element = T;

  __device__ void load(const PixelCut& cut, const T* pixel) {
    for_packs(cut, [&](int j, int first) { load_elements<kWidth>(pixel + first, v_[j]); });
  }
  __device__ void store(const PixelCut& cut, T* pixel) const {
    for_packs(cut, [&](int j, int first) { store_elements<kWidth>(pixel + first, v_[j]); });
  }
  // body(value, the other rows' values ..., channel) for every channel the lane holds
  template <class Body, class... Others>
  __device__ void each(const PixelCut& cut, const Body& body, Others&... others) {
    for_packs(cut, [&](int j, int first) {
      for (int i = 0; i < kWidth; ++i) body(v_[j][i], others.v_[j][i]..., first + i);
    });
  }

  // The pixel's largest channel. A NaN may be passed over here; it comes back through the exponentials.
  __device__ float largest(const PixelCut& cut) {
    float top = -INFINITY;
    each(cut, [&](float v, int) { top = v > top ? v : top; });
    return cut.largest(top);
  }
  // Turns logits into exp(scale * (logit - top)) and returns their sum over the pixel.
  __device__ float exponentiate(const PixelCut& cut, float top, float scale = 1.0f) {
    float sum = 0.0f;
    each(cut, [&](float& v, int) { sum += v = expf((v - top) * scale); });
    return cut.sum(sum);
  }
  // Turns logits into probabilities.
  __device__ void softmax(const PixelCut& cut, float scale = 1.0f) {
    const float inverse = 1.0f / exponentiate(cut, largest(cut), scale);
    each(cut, [&](float& v, int) { v *= inverse; });
  }

 private:
  template <class Body>
  __device__ static void for_packs(const PixelCut& cut, const Body& body) {
    for (int j = 0; j < kPacks; ++j) {
      const int first = (static_cast<int>(cut.lane()) + (j << cut.shift)) * kWidth;
      if (first < cut.c) body(j, first);
    }
  }

  float v_[kPacks][kWidth] = {};
};

// Calls body with the row type for v's dtype and channels, at most kMaxRowChannels, and the cut that goes with it.
// `in_packs`: every view the kernel reads or writes rows of takes packs.
template <class Body>
void with_row(const ConstView& v, bool in_packs, const Body& body) {
  with_element(v.dtype, [&](auto element) {
    using T = decltype(element);
    if (in_packs) {
      constexpr int kWidth = kPackWidth<T>, kMostPacks = kMaxRowChannels / kWarpLanes / kWidth;
      const PixelCut cut(v, kWidth);
      if (v.c <= kWarpLanes * kWidth) return body(Row<T, kWidth, 1>{}, cut);
      return body(Row<T, kWidth, kMostPacks>{}, cut);
    }
    const PixelCut cut(v, 1);
    switch (blocks_for(v.c, std::int64_t{1} << cut.shift)) {
      case 1:
      case 2:
        return body(Row<T, 1, 2>{}, cut);
      case 3:
        return body(Row<T, 1, 3>{}, cut);
      case 4:
        return body(Row<T, 1, 4>{}, cut);
      default:
        return body(Row<T, 1, kMaxRowChannels / kWarpLanes>{}, cut);
    }
  });
}

// Beyond kMaxRowChannels a block takes a pixel and goes over its channels several times.
//
// body(channels, the first one's number) for this thread's packs of a pixel that the whole block shares.
template <int kWidth, class T, class Body>
__device__ void walk_channels(const T* from, int c, const Body& body) {
  for (int first = static_cast<int>(threadIdx.x) * kWidth; first < c; first += kRowThreads * kWidth) {
    float v[kWidth];
    load_elements<kWidth>(from + first, v);
    body(v, first);
  }
}

// Calls body with the element type and a pack's width (1 where there are no packs) as types.
template <class Body>
void with_wide_row(const ConstView& v, bool in_packs, const Body& body) {
  with_element(v.dtype, [&](auto element) {
    using T = decltype(element);
    if (in_packs) return body(element, std::integral_constant<int, kPackWidth<T>>{});
    body(element, std::integral_constant<int, 1>{});
  });
}

inline void require_countable_pixels(const char* kernel, const char* name, const ConstView& v) {
  if (v.pixels() > 0x7fffffff) fail(std::string(kernel) + ": too many pixels", describe(name, v), "at most 2^31-1");
}

}  // namespace gf
