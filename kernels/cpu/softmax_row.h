#pragma once
// Softmax of one pixel with many channels: loops run along the channels.
#include "kernels/cpu/exp.h"

namespace gf::cpu {

// The largest of c values. A NaN may be passed over here; it comes back through the exponentials.
inline float largest(const float* x, std::int64_t c) {
  float top = x[0];
#pragma omp simd reduction(max : top)
  for (std::int64_t i = 1; i < c; ++i) top = x[i] > top ? x[i] : top;
  return top;
}

// y = softmax(x); y may be x.
inline void softmax_row(const float* x, std::int64_t c, float* y) {
  const float top = largest(x, c);
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < c; ++i) {
    y[i] = exp_f32(x[i] - top);
    sum += static_cast<double>(y[i]);
  }
  const float inverse = static_cast<float>(1.0 / sum);
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) y[i] *= inverse;
}

// sum of exp(x - top), top the largest of x
inline float exp_sum_row(const float* x, std::int64_t c, float top) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < c; ++i) sum += static_cast<double>(exp_f32(x[i] - top));
  return static_cast<float>(sum);
}

}  // namespace gf::cpu
