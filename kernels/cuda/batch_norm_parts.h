#pragma once
// What the .cu files of batch norm share: how the pixels are cut, runs of pixels, the activation, sums over a block.
#include <algorithm>
#include <limits>

#include "kernels/batch_norm.h"
#include "kernels/cuda/element.h"

namespace gf::norm {

constexpr int kThreads = 256;
constexpr std::int64_t kSumBlocks = 2048;  // blocks whose sums are finished by one kernel
constexpr std::int64_t kMapBlocks = 8192;

// Pixels are cut into chunks, channels into tiles; a block has one of each. Its threads (x,y): channels or packs of
// them along x, y is a strip, every strips-th pixel of the chunk. Depends on the shape and nothing else.
struct Cut {
  std::int64_t lanes = 1, strips, tiles;
  int pixels, chunk_pixels, chunks;

  Cut(std::int64_t packs, std::int64_t pixels_, std::int64_t most_blocks) : pixels(static_cast<int>(pixels_)) {
    constexpr std::int64_t kLeastPerThread = 8;  // a multiple of every kRun, so that only the last chunk has rests
    while (lanes < packs && lanes < 32) lanes *= 2;
    strips = kThreads / lanes;
    tiles = blocks_for(packs, lanes);
    const std::int64_t least = strips * kLeastPerThread, most_chunks = std::max<std::int64_t>(most_blocks / tiles, 1);
    chunk_pixels = static_cast<int>(blocks_for(blocks_for(pixels, most_chunks), least) * least);
    chunks = static_cast<int>(blocks_for(pixels, chunk_pixels));
  }
  LaunchSize grid(std::source_location at = std::source_location::current()) const { return {tiles, chunks, 1, at}; }
  LaunchSize block() const { return {lanes, strips}; }
  __device__ int length(int chunk) const { return min(chunk_pixels, pixels - chunk * chunk_pixels); }
};

// Threads (x,y) that add up the chunks of channel x: as many y as there are chunks, up to 64, the rest on channels.
inline LaunchSize finish_block(const Cut& cut, std::int64_t c) {
  std::int64_t strips = 1, lanes = 1;
  while (strips < cut.chunks && strips < 64) strips *= 2;
  while (lanes < c && lanes < kThreads / strips) lanes *= 2;
  return {lanes, strips};
}

inline void check_pixels(const char* kernel, const ConstView& x) {
  if (x.pixels() > 0x7fff0000) fail(std::string(kernel) + ": too many pixels", describe("x", x), "at most 2^31 - 2^16");
}

// A tensor as pixels of channels; data may be null where it is optional.
template <class T>
struct Plane {
  T* data;
  std::int64_t stride;

  __device__ T* at(std::int64_t pixel, int channel) const { return data + pixel * stride + channel; }
};
template <class T>
Plane<const T> plane(const ConstView& v) {
  return {data_as<T>(v), v.pixel_stride};
}
template <class T>
Plane<T> plane(const View& v) {
  return {data_as<T>(v), v.pixel_stride};
}

// How many pixels a thread asks for before it uses the first: enough bytes in flight, few enough registers. The more
// tensors are read together, the fewer.
template <int kWidth, int kTensors>
constexpr int kRun = kWidth == 1                   ? 8
                     : kWidth == 8 && kTensors > 1 ? 2
                                                   : 4;

// kPixels pixels `step` apart; zeros of a tensor that is not there.
template <int kPixels, int kWidth, class T>
__device__ void load_run(const Plane<const T>& x, std::int64_t pixel, int step, int channel,
                         float (&v)[kPixels][kWidth]) {
  if (x.data == nullptr) {
    for (int k = 0; k < kPixels; ++k)
      for (int j = 0; j < kWidth; ++j) v[k][j] = 0.0f;
    return;
  }
  for (int k = 0; k < kPixels; ++k) load_elements<kWidth>(x.at(pixel + k * step, channel), v[k]);
}

// Walks a thread's strip of `count` pixels in runs, the rest one by one: body(integral constant, offset in the chunk).
template <int kPixels, class Body>
__device__ void walk_strip(int count, const Body& body) {
  const int strips = static_cast<int>(blockDim.y);
  int p = static_cast<int>(threadIdx.y);
  for (; p + (kPixels - 1) * strips < count; p += kPixels * strips) body(std::integral_constant<int, kPixels>{}, p);
  for (; p < count; p += strips) body(std::integral_constant<int, 1>{}, p);
}

// Adds every thread's kCount values over the block's strips, pairwise; strip 0 holds the sums. `scratch` is shared
// memory for kCount values a thread.
template <int kCount, class Value, class Scratch>
__device__ void sum_strips(Value (&v)[kCount], Scratch scratch) {
  const unsigned slot = threadIdx.y * blockDim.x + threadIdx.x;
  for (int i = 0; i < kCount; ++i) scratch[i * kThreads + slot] = v[i];
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y >= half) continue;
    for (int i = 0; i < kCount; ++i) {
      const Value other = scratch[i * kThreads + slot + half * blockDim.x];
      v[i] += other;
      scratch[i * kThreads + slot] = v[i];
    }
  }
}

// Every activation without a learned slope as one formula, so that a kernel need not be made for each. Comparisons let
// a NaN through, and are false against a cap of NaN: no cap.
struct Activation {
  float slope = 1.0f, cap = std::numeric_limits<float>::quiet_NaN();
  bool cuts = false;  // slope 0, also of an infinite value

  explicit Activation(const BatchNormShape& shape) {
    cuts = shape.act == NormActivation::relu || shape.act == NormActivation::relu6;
    if (shape.act == NormActivation::relu6) cap = 6.0f;
    if (shape.act == NormActivation::leaky_relu) slope = shape.slope;
  }
  template <int kWidth>
  __device__ const Activation& of_channels(int) const {
    return *this;
  }
  __device__ float operator()(float v, int) const {
    const float low = cuts ? 0.0f : slope * v;
    const float floored = v < 0.0f ? low : v;
    return floored > cap ? cap : floored;
  }
  // dy * act'(.), from the output y
  __device__ float backward(float y, float dy) const {
    const bool passes = y > 0.0f && !(y >= cap);
    const float low = cuts ? 0.0f : slope * dy;
    return passes ? dy : low;
  }
};

// The learned slope of prelu, one number (step 0) or one a channel (step 1).
struct Slopes {
  const float* data;
  int step;

  explicit Slopes(const ConstView& slope) : data(data_as<float>(slope)), step(slope.c == 1 ? 0 : 1) {}
  // Of a thread's channels.
  template <int kWidth>
  struct Pack {
    float slope[kWidth];

    __device__ float operator()(float v, int j) const { return v < 0.0f ? slope[j] * v : v; }
  };
  template <int kWidth>
  __device__ Pack<kWidth> of_channels(int channel) const {
    Pack<kWidth> pack;
    for (int j = 0; j < kWidth; ++j) pack.slope[j] = data[(channel + j) * step];
    return pack;
  }
};

}  // namespace gf::norm
