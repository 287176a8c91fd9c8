#pragma once
// Mean and spread of every channel over a chunk of pixels: what batch norm and group norm are made of. A chunk
// subtracts a shift near its own mean (from four of its pixels), adds eight pixels of x - shift and of its square in
// float32, and those short sums in double: rounding stays relative to the channel's spread, not to its mean, at almost
// the speed of plain float32.
#include <cstdint>

namespace gf::cpu {

// sum += sum of d, square += sum of d^2, d = x - shift, over `count` pixels
template <int kRun>
inline void add_moments(const float* x, std::int64_t stride, std::int64_t c, const float* shift, double* sum,
                        double* square) {
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    float s = 0.0f, q = 0.0f;
    for (int k = 0; k < kRun; ++k) {
      const float d = x[k * stride + i] - shift[i];
      s += d;
      q += d * d;
    }
    sum[i] += static_cast<double>(s);
    square[i] += static_cast<double>(q);
  }
}

// Mean and sum of squared distances from it, of one chunk.
inline void chunk_statistics(const float* x, std::int64_t pixels, std::int64_t stride, std::int64_t c, float* shift,
                             double* mean, double* m2) {
  const float *a = x, *b = x + pixels / 4 * stride, *d = x + pixels / 2 * stride, *e = x + pixels * 3 / 4 * stride;
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    shift[i] = ((a[i] + b[i]) + (d[i] + e[i])) * 0.25f;
    mean[i] = m2[i] = 0.0;
  }
  std::int64_t p = 0;
  for (; p + 8 <= pixels; p += 8) add_moments<8>(x + p * stride, stride, c, shift, mean, m2);
  for (; p < pixels; ++p) add_moments<1>(x + p * stride, stride, c, shift, mean, m2);
  const double inverse = 1.0 / static_cast<double>(pixels);
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    m2[i] -= mean[i] * mean[i] * inverse;
    mean[i] = static_cast<double>(shift[i]) + mean[i] * inverse;
  }
}

}  // namespace gf::cpu
