#pragma once
// Cross entropy and logits distillation of one pixel that a group of lanes holds (cuda/pixel_row.h). A lane gets its
// part of a loss: the pixel's is the sum over the lanes, which the block's sum takes anyway.
#include "kernels/cuda/pixel_row.h"

namespace gf {

// The lane's part of weight * (log sum_c exp(z_c) - z_y). Turns logits, whose largest is `top`, into exponentials and
// returns their sum in `sum`.
template <class R>
__device__ float cross_entropy_part(const PixelCut& cut, R& z, float top, int y, float weight, float& sum) {
  float part = 0.0f;
  z.each(cut, [&](float v, int c) {
    if (c == y) part = top - v;
  });
  sum = z.exponentiate(cut, top);
  if (cut.lane() == 0) part += logf(sum);
  return weight * part;
}

// Turns exponentials and their sum into factor * (softmax - onehot), 0 where the pixel does not count.
template <class R>
__device__ void cross_entropy_gradient(const PixelCut& cut, R& exponential, float sum, int y, float factor) {
  const float inverse = 1.0f / sum;
  exponential.each(cut, [&](float& v, int c) { v = y < 0 ? 0.0f : factor * (v * inverse - (c == y ? 1.0f : 0.0f)); });
}

// Sums of both networks' exponentials over a pixel, and the lane's part of sum_c exp(a_c) (a_c - b_c); a and b are
// teacher's and student's logits less their largest, over tau.
struct SoftPixel {
  float student, teacher, dot;

  // The lane's part of KL(softmax a || softmax b).
  __device__ float divergence_part(const PixelCut& cut) const {
    const float part = dot / teacher;
    return cut.lane() == 0 ? part - logf(teacher / student) : part;
  }
};

// Whether the teacher's logits, whose largest is `top`, put another class above y, the pixel's; never where it has none
// (y < 0). All lanes get the same answer.
template <class R>
__device__ bool is_wrong(const PixelCut& cut, R& teacher, float top, int y) {
  float below = 0.0f;
  teacher.each(cut, [&](float v, int c) {
    if (c == y && v < top) below = 1.0f;
  });
  return cut.sum(below) > 0.0f;
}

// Turns both networks' logits, with the largest of each, into those exponentials.
template <class R>
__device__ SoftPixel soften(const PixelCut& cut, R& student, float student_top, R& teacher, float teacher_top,
                            float inverse_tau) {
  SoftPixel s{0.0f, 0.0f, 0.0f};
  student.each(
      cut,
      [&](float& vs, float& vt, int) {
        const float a = (vt - teacher_top) * inverse_tau, b = (vs - student_top) * inverse_tau;
        vt = expf(a);
        vs = expf(b);
        s.teacher += vt;
        s.student += vs;
        s.dot += vt * (a - b);
      },
      teacher);
  s.student = cut.sum(s.student);
  s.teacher = cut.sum(s.teacher);
  return s;
}

// gradient += factor * (softmax student - softmax teacher), from what soften() left.
template <class R>
__device__ void add_soft_gradient(const PixelCut& cut, R& gradient, R& student, R& teacher, const SoftPixel& s,
                                  float factor) {
  const float of_student = 1.0f / s.student, of_teacher = 1.0f / s.teacher;
  gradient.each(
      cut, [&](float& g, float vs, float vt, int) { g += factor * (vs * of_student - vt * of_teacher); }, student,
      teacher);
}

}  // namespace gf
