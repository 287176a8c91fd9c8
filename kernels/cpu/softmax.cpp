#include "kernels/softmax.h"

#include <cmath>

#include "kernels/cpu/softmax_block.h"
#include "kernels/cpu/softmax_row.h"
#include "kernels/parallel.h"
#include "kernels/softmax_checks.h"

namespace gf {
namespace {

// body(pixel) for every pixel
template <class Body>
void for_pixels(const ConstView& x, const Body& body) {
  if (x.count() == 0) return;
  parallel_for(x.pixels(), std::max<std::int64_t>(1, 8192 / x.c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) body(p);
  });
}

}  // namespace

void softmax(const Cpu&, ConstView x, View y) {
  require_view("softmax", "x", x);
  require_softmax("softmax", "x", x, "y", y);
  if (x.count() == 0) return;
  const float* px = data_as<float>(x);
  float* py = data_as<float>(y);
  constexpr std::int64_t kFewChannels = 32;
  parallel_for(x.pixels(), std::max<std::int64_t>(1, 8192 / x.c), [&](std::int64_t begin, std::int64_t end) {
    if (x.c >= kFewChannels) {
      for (std::int64_t p = begin; p < end; ++p)
        cpu::softmax_row(px + p * x.pixel_stride, x.c, py + p * y.pixel_stride);
      return;
    }
    cpu::SoftmaxBlock block(x.c);
    for (std::int64_t p = begin; p < end; ++p) {
      block.add(px + p * x.pixel_stride);
      if (!block.full() && p + 1 < end) continue;
      block.exponentiate(1.0f);
      block.normalise();
      float* first = py + (p + 1 - block.count()) * y.pixel_stride;
      for (std::int64_t i = 0; i < x.c; ++i) {
        const float* from = block.exponential(i);
        for (std::int64_t q = 0; q < block.count(); ++q) first[q * y.pixel_stride + i] = from[q];
      }
      block.clear();
    }
  });
}

void log_softmax(const Cpu&, ConstView x, View y) {
  require_view("log_softmax", "x", x);
  require_softmax("log_softmax", "x", x, "y", y);
  for_pixels(x, [&, px = data_as<float>(x), py = data_as<float>(y)](std::int64_t p) {
    const float* from = px + p * x.pixel_stride;
    float* to = py + p * y.pixel_stride;
    // The maximum is taken off first: next to it the logarithm of the sum, at most log c, would lose its last bits.
    const float top = cpu::largest(from, x.c);
    const float log_sum = std::log(cpu::exp_sum_row(from, x.c, top));
#pragma omp simd
    for (std::int64_t i = 0; i < x.c; ++i) to[i] = (from[i] - top) - log_sum;
  });
}

void softmax_backward(const Cpu&, ConstView y, ConstView dy, View dx) {
  require_view("softmax_backward", "y", y);
  require_softmax_backward("softmax_backward", y, dy, dx);
  for_pixels(y, [&, py = data_as<float>(y), pdy = data_as<float>(dy), pdx = data_as<float>(dx)](std::int64_t p) {
    const float *out = py + p * y.pixel_stride, *g = pdy + p * dy.pixel_stride;
    float* to = pdx + p * dx.pixel_stride;
    float dot = 0.0f;
#pragma omp simd reduction(+ : dot)
    for (std::int64_t i = 0; i < y.c; ++i) dot += out[i] * g[i];
#pragma omp simd
    for (std::int64_t i = 0; i < y.c; ++i) to[i] = out[i] * (g[i] - dot);
  });
}

void argmax_channels(const Cpu&, ConstView x, View label) {
  require_view("argmax_channels", "x", x);
  require_argmax("argmax_channels", x, label);
  for_pixels(x, [&, px = data_as<float>(x), pl = data_as<std::int32_t>(label)](std::int64_t p) {
    const float* from = px + p * x.pixel_stride;
    std::int64_t best = 0;
    for (std::int64_t i = 1; i < x.c; ++i) {
      const bool nan_beats = from[i] != from[i] && from[best] == from[best];
      if (from[i] > from[best] || nan_beats) best = i;
    }
    pl[p * label.pixel_stride] = static_cast<std::int32_t>(best);
  });
}

}  // namespace gf
