#pragma once
// Mean and spread of every channel over a chunk of pixels: what batch norm and group norm are made of. A block takes a
// chunk, subtracts its first pixel, and every thread adds runs of pixels to the mean and the sum of squared distances
// from it (M2), each run first by itself. Two such pairs are merged by Chan, Golub and LeVeque's rule ("Updating
// formulae and a pairwise algorithm for computing sample variances", 1979), so every number in float32 is of the size
// of the channel's spread, however large its mean.
#include "kernels/cuda/batch_norm_parts.h"

namespace gf::norm {

// Of one chunk and channel.
struct alignas(16) Moments {
  double mean, m2;
};

// Pixels p < count with p % stride == first.
__device__ inline float members(int count, int first, int stride) {
  return first < count ? static_cast<float>((count - first - 1) / stride + 1) : 0.0f;
}

// Mean and M2 of the pixels a thread has seen.
template <int kWidth>
struct StripMoments {
  float count = 0, mean[kWidth] = {}, m2[kWidth] = {};

  template <int kPixels>
  __device__ void add(const float (&x)[kPixels][kWidth], const float (&shift)[kWidth]) {
    const float seen = count;
    count += kPixels;
    const float share = kPixels / count;
    for (int j = 0; j < kWidth; ++j) {
      float centre = 0, spread = 0;
      for (int k = 0; k < kPixels; ++k) centre += x[k][j] - shift[j];
      centre *= 1.0f / kPixels;
      for (int k = 0; k < kPixels; ++k) {
        const float d = x[k][j] - shift[j] - centre;
        spread += d * d;
      }
      merge(j, centre, spread, seen, share);
    }
  }
  // Channel j: pixels of that mean and M2 join the `seen` ones; they are a `share` of all.
  __device__ void merge(int j, float other_mean, float other_m2, float seen, float share) {
    const float delta = other_mean - mean[j];
    mean[j] += delta * share;
    m2[j] += other_m2 + delta * delta * (seen * share);
  }
};

// The block's chunk: block (x,y) is a tile of channels and a chunk. means and squares are shared memory for kWidth
// numbers a thread. parts: [chunk][c]
template <int kWidth, class T, class Shared>
__device__ void chunk_moments(const Plane<const T>& x, int c, const Cut& cut, Shared means, Shared squares,
                              Moments* parts) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  const int chunk = static_cast<int>(blockIdx.y), count = cut.length(chunk);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float shift[kWidth] = {};
  StripMoments<kWidth> mine;
  if (channel < c) {
    load_elements<kWidth>(x.at(first, channel), shift);
    walk_strip<kRun<kWidth, 1>>(count, [&](auto pixels, int p) {
      float v[pixels.value][kWidth];
      load_run(x, first + p, static_cast<int>(blockDim.y), channel, v);
      mine.add(v, shift);
    });
  }
  // Strips s and s + half have become the pixels p % (2 half) == s and s + half; together p % half == s.
  const int strip = static_cast<int>(threadIdx.y);
  const unsigned slot = threadIdx.y * blockDim.x + threadIdx.x;
  for (int j = 0; j < kWidth; ++j) {
    means[j * kThreads + slot] = mine.mean[j];
    squares[j * kThreads + slot] = mine.m2[j];
  }
  for (int half = static_cast<int>(blockDim.y) / 2; half > 0; half /= 2) {
    __syncthreads();
    const float more = members(count, strip + half, 2 * half), seen = members(count, strip, 2 * half);
    if (strip >= half || more == 0.0f) continue;
    for (int j = 0; j < kWidth; ++j) {
      const unsigned here = j * kThreads + slot, there = here + half * blockDim.x;
      const float other_mean = means[there], other_m2 = squares[there];
      mine.merge(j, other_mean, other_m2, seen, more / (seen + more));
      means[here] = mine.mean[j];
      squares[here] = mine.m2[j];
    }
  }
  if (strip != 0 || channel >= c) return;
  for (int j = 0; j < kWidth; ++j) {
    const double mean = static_cast<double>(shift[j]) + static_cast<double>(mine.mean[j]);
    parts[std::int64_t{chunk} * c + channel + j] = {mean, static_cast<double>(mine.m2[j])};
  }
}

}  // namespace gf::norm
