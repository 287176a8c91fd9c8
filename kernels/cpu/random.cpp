#include "kernels/random.h"

#include "kernels/check.h"
#include "kernels/parallel.h"
#include "kernels/philox.h"

#include <cmath>
#include <numbers>

namespace gf {
namespace {

// Calls body(first, words) for every group of four elements; the last group may be partly outside the view.
template <class Body>
void for_groups(std::uint64_t seed, std::uint64_t stream, std::int64_t count, const Body& body) {
  parallel_for((count + 3) / 4, 4096, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t g = begin; g < end; ++g) body(4 * g, philox(seed, stream, static_cast<std::uint64_t>(g)));
  });
}

}  // namespace

namespace {

void check_offset(const char* kernel, const ConstView& offset) {
  if (offset.data == nullptr) return;
  require_dtype(kernel, "offset", offset, DType::i32);
  require_shape(kernel, "offset", offset, {1, 1, 1, 1});
}

std::uint64_t offset_stream(std::uint64_t stream, const ConstView& offset) {
  return offset.data == nullptr ? stream : stream + *data_as<std::uint32_t>(offset);
}

}  // namespace

void check_random_uniform(float low, float high, const ConstView& y, const ConstView& offset) {
  require_view("random_uniform", "y", y);
  require_dense("random_uniform", "y", y);
  if (!(low < high))
    fail("random_uniform: empty range", describe("y", y), "low < high",
         std::to_string(low) + " and " + std::to_string(high));
  check_offset("random_uniform", offset);
}

void check_random_normal(const ConstView& y, const ConstView& offset) {
  require_view("random_normal", "y", y);
  require_dense("random_normal", "y", y);
  check_offset("random_normal", offset);
}

void check_dropout_mask(float p, const ConstView& mask, const ConstView& offset) {
  require_float("dropout_mask", "mask", mask);
  require_dense("dropout_mask", "mask", mask);
  if (!(p >= 0.0f && p <= 1.0f))
    fail("dropout_mask: probability", describe("mask", mask), "0 <= p <= 1", std::to_string(p));
  check_offset("dropout_mask", offset);
}

void random_uniform(const Cpu&, std::uint64_t seed, std::uint64_t stream, float low, float high, View y,
                    ConstView offset) {
  check_random_uniform(low, high, y, offset);
  const std::int64_t count = y.count();
  const float range = high - low, below = std::nextafter(high, low);  // rounding must not reach `high`
  float* to = data_as<float>(y);
  for_groups(seed, offset_stream(stream, offset), count, [=](std::int64_t first, const Philox4& words) {
    for (std::int64_t i = first; i < std::min(count, first + 4); ++i)
      to[i] = std::min(low + range * uniform01(words.v[i - first]), below);
  });
}

// Box-Muller in double: the rounded results are the same wherever sine and logarithm differ in their last bits.
void random_normal(const Cpu&, std::uint64_t seed, std::uint64_t stream, float mean, float stddev, View y,
                   ConstView offset) {
  check_random_normal(y, offset);
  const std::int64_t count = y.count();
  float* to = data_as<float>(y);
  for_groups(seed, offset_stream(stream, offset), count, [=](std::int64_t first, const Philox4& words) {
    for (std::int64_t pair = 0; pair < 4 && first + pair < count; pair += 2) {
      const double u = 1.0 - static_cast<double>(uniform01(words.v[pair]));  // (0, 1]: its logarithm is finite
      const double angle = 2.0 * std::numbers::pi * static_cast<double>(uniform01(words.v[pair + 1]));
      const double radius = static_cast<double>(stddev) * std::sqrt(-2.0 * std::log(u));
      to[first + pair] = static_cast<float>(static_cast<double>(mean) + radius * std::cos(angle));
      if (first + pair + 1 < count)
        to[first + pair + 1] = static_cast<float>(static_cast<double>(mean) + radius * std::sin(angle));
    }
  });
}

void dropout_mask(const Cpu&, std::uint64_t seed, std::uint64_t stream, float p, View mask, ConstView offset) {
  check_dropout_mask(p, mask, offset);
  require_dtype("dropout_mask", "mask", mask, DType::f32);
  const std::int64_t count = mask.count();
  const float keep = p < 1.0f ? 1.0f / (1.0f - p) : 0.0f;
  float* to = data_as<float>(mask);
  for_groups(seed, offset_stream(stream, offset), count, [=](std::int64_t first, const Philox4& words) {
    for (std::int64_t i = first; i < std::min(count, first + 4); ++i)
      to[i] = uniform01(words.v[i - first]) < p ? 0.0f : keep;
  });
}

}  // namespace gf
