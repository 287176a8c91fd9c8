#pragma once
// Softmax of one pixel, shared by the softmax kernels and the losses on logits.
#include "kernels/cpu/exp.h"

#include <cmath>

namespace gf::cpu {

// The largest of c values. A NaN may be passed over here; it comes back through the exponentials.
inline float largest(const float* x, std::int64_t c) {
  float top = x[0];
#pragma omp simd reduction(max : top)
  for (std::int64_t i = 1; i < c; ++i) top = x[i] > top ? x[i] : top;
  return top;
}

// e = exp((x - top) * scale), top the largest of x; returns the sum of e. e may be x.
inline float exp_row(const float* x, std::int64_t c, float scale, float top, float* e) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < c; ++i) {
    const float v = exp_f32((x[i] - top) * scale);
    e[i] = v;
    sum += static_cast<double>(v);
  }
  return static_cast<float>(sum);
}

// y = softmax(x * scale); y may be x.
inline void softmax_row(const float* x, std::int64_t c, float scale, float* y) {
  const float sum = exp_row(x, c, scale, largest(x, c), y);
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) y[i] /= sum;
}

// sum of exp(x - top), top the largest of x
inline float exp_sum_row(const float* x, std::int64_t c, float top) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < c; ++i) sum += static_cast<double>(exp_f32(x[i] - top));
  return static_cast<float>(sum);
}

}  // namespace gf::cpu
