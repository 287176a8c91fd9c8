#pragma once
// The divergence of two networks' softened outputs over a block of pixels.
#include <cmath>

#include "kernels/cpu/softmax_block.h"

namespace gf::cpu {

// sum over the pixels of KL(softmax a || softmax b) = sum_c t_c (a_c - b_c) - (log sum exp a - log sum exp b), t the
// teacher's probabilities; a and b are what exponentiate(1 / tau) left in teacher and student. skipped[q]: the block's
// pixel q does not count.
inline double soft_divergence(const SoftmaxBlock& student, const SoftmaxBlock& teacher, std::int64_t classes,
                              const bool* skipped) {
  const std::int64_t count = student.count();
  double dot[SoftmaxBlock::kPixels] = {}, sum = 0.0;
  for (std::int64_t i = 0; i < classes; ++i) {
    const float *a = teacher.shifted(i), *b = student.shifted(i), *e = teacher.exponential(i);
#pragma omp simd
    for (std::int64_t q = 0; q < count; ++q) dot[q] += static_cast<double>(e[q]) * static_cast<double>(a[q] - b[q]);
  }
  for (std::int64_t q = 0; q < count; ++q)
    if (!skipped[q]) sum += dot[q] / teacher.sum(q) - std::log(teacher.sum(q) / student.sum(q));
  return sum;
}

}  // namespace gf::cpu
