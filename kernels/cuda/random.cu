// Random fills on the GPU (contract: kernels/random.h).
//
//   y[i] = f(word i % 4 of philox(seed, stream, i / 4))       f: uniform, normal, or the dropout mask
//
// Memory traffic: y written once, 4 * count bytes (mask in bf16: 2); nothing is read. Ten rounds of Philox make four
// numbers, about 30 integer operations a number, which hide behind the writes of a large fill; floor: those bytes over
// the memory's bandwidth.
//
// A thread makes 16 bytes of numbers, those of one counter in float32, of two in bf16, and writes them together.
#include "kernels/random.h"

#include <cmath>
#include <numbers>

#include "kernels/cuda/element.h"
#include "kernels/philox.h"

namespace gf {
namespace {

constexpr int kThreads = 256;

struct Uniform {
  float low, range, below;
  __device__ void operator()(const Philox4& words, float* v) const {
    // Rounded twice, as on the host: a fused multiply-add would give other bits.
    for (int i = 0; i < 4; ++i) v[i] = fminf(multiply_then_add(range, uniform01(words.v[i]), low), below);
  }
};

struct Normal {
  float mean, stddev;
  __device__ void operator()(const Philox4& words, float* v) const {
    for (int i = 0; i < 4; i += 2) {
      const double u = 1.0 - static_cast<double>(uniform01(words.v[i]));
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(uniform01(words.v[i + 1]));
      const double radius = static_cast<double>(stddev) * sqrt(-2.0 * log(u));
      v[i] = static_cast<float>(static_cast<double>(mean) + radius * cos(angle));
      v[i + 1] = static_cast<float>(static_cast<double>(mean) + radius * sin(angle));
    }
  }
};

struct DropoutMask {
  float p, keep;
  __device__ void operator()(const Philox4& words, float* v) const {
    for (int i = 0; i < 4; ++i) v[i] = uniform01(words.v[i]) < p ? 0.0f : keep;
  }
};

// `offset`, where it is not null, is added to the stream.
template <class T, class Numbers>
__global__ void gf_random_kernel(Numbers numbers, std::uint64_t seed, std::uint64_t stream, const std::uint32_t* offset,
                                 T* y, std::int64_t count, bool in_packs) {
  constexpr int kWidth = kPackWidth<T>;
  const std::int64_t first = (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWidth;
  if (first >= count) return;
  if (offset != nullptr) stream += *offset;
  float v[kWidth];
  for (int group = 0; group < kWidth; group += 4)
    numbers(philox(seed, stream, static_cast<std::uint64_t>(first + group) / 4), v + group);
  if (in_packs && first + kWidth <= count) return store_elements<kWidth>(y + first, v);
  for (int i = 0; i < kWidth; ++i)
    if (first + i < count) y[first + i] = to_element<T>(v[i]);
}

template <class T, class Numbers>
void fill_random(const Gpu& gpu, const Numbers& numbers, std::uint64_t seed, std::uint64_t stream, const View& y,
                 const ConstView& offset = {}) {
  if (y.count() == 0) return;
  const bool in_packs = reinterpret_cast<std::uintptr_t>(y.data) % 16 == 0;
  launch_independent(gpu, gf_random_kernel<T, Numbers>, blocks_for(blocks_for(y.count(), kPackWidth<T>), kThreads),
                     kThreads, numbers, seed, stream, data_as<std::uint32_t>(offset), data_as<T>(y), y.count(),
                     in_packs);
}

}  // namespace

void random_uniform(const Gpu& gpu, std::uint64_t seed, std::uint64_t stream, float low, float high, View y,
                    ConstView offset) {
  check_random_uniform(low, high, y, offset);
  fill_random<float>(gpu, Uniform{low, high - low, std::nextafter(high, low)}, seed, stream, y, offset);
}

void random_normal(const Gpu& gpu, std::uint64_t seed, std::uint64_t stream, float mean, float stddev, View y,
                   ConstView offset) {
  check_random_normal(y, offset);
  fill_random<float>(gpu, Normal{mean, stddev}, seed, stream, y, offset);
}

void dropout_mask(const Gpu& gpu, std::uint64_t seed, std::uint64_t stream, float p, View mask, ConstView offset) {
  check_dropout_mask(p, mask, offset);
  const DropoutMask numbers{p, p < 1.0f ? 1.0f / (1.0f - p) : 0.0f};
  with_element(mask.dtype,
               [&](auto element) { fill_random<decltype(element)>(gpu, numbers, seed, stream, mask, offset); });
}

}  // namespace gf
