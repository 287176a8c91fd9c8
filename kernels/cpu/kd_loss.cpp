// Logits distillation (losses.h).
#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/loss_checks.h"
#include "kernels/losses.h"

#include <cmath>

namespace gf {
namespace {

void require_kd(const char* kernel, float tau, ConstView student, ConstView teacher) {
  cpu::require_logits(kernel, "student", student);
  cpu::require_logits(kernel, "teacher", teacher);
  require_same_shape(kernel, "student", student, "teacher", teacher);
  if (!(tau > 0.0f))
    fail(std::string(kernel) + ": temperature", describe("student", student), "tau > 0", std::to_string(tau));
}

double divisor(bool element_mean, const ConstView& v) {
  return static_cast<double>(std::max<std::int64_t>(1, element_mean ? v.count() : v.pixels()));
}

}  // namespace

// KL = sum_c t_c (a_c - b_c) - (log sum exp a - log sum exp b), a and b the logits over tau, t the teacher's
// probabilities
void kd_loss_forward(const Cpu& cpu, float tau, bool element_mean, ConstView student, ConstView teacher, View loss) {
  const char* kernel = "kd_loss_forward";
  require_kd(kernel, tau, student, teacher);
  require_scalar(kernel, "loss", loss);
  const float *ps = data_as<float>(student), *pt = data_as<float>(teacher);
  const std::int64_t c = student.c;
  const float scale = 1.0f / tau;
  const double total = *cpu::chunked_sum(
      cpu, kernel, student.pixels(), cpu::loss_grain(c), 1, [&](std::int64_t begin, std::int64_t end, double* sum) {
        cpu::SoftmaxBlock block_s(c), block_t(c);
        for (std::int64_t p = begin; p < end; ++p) {
          block_s.add(ps + p * student.pixel_stride);
          block_t.add(pt + p * teacher.pixel_stride);
          if (!block_s.full() && p + 1 < end) continue;
          block_s.exponentiate(scale);
          block_t.exponentiate(scale);
          const std::int64_t count = block_s.count();
          double dot[cpu::SoftmaxBlock::kPixels] = {};
          for (std::int64_t i = 0; i < c; ++i) {
            const float *a = block_t.shifted(i), *b = block_s.shifted(i), *e = block_t.exponential(i);
#pragma omp simd
            for (std::int64_t q = 0; q < count; ++q)
              dot[q] += static_cast<double>(e[q]) * static_cast<double>(a[q] - b[q]);
          }
          for (std::int64_t q = 0; q < count; ++q)
            *sum += dot[q] / block_t.sum(q) - std::log(block_t.sum(q) / block_s.sum(q));
          block_s.clear();
          block_t.clear();
        }
      });
  *data_as<float>(loss) =
      static_cast<float>(static_cast<double>(tau) * static_cast<double>(tau) * total / divisor(element_mean, student));
}

// d/ds = upstream * tau / divisor * (softmax(s / tau) - softmax(t / tau))
void kd_loss_backward(const Cpu&, float tau, bool element_mean, ConstView student, ConstView teacher,
                      ConstView upstream, View d_student) {
  const char* kernel = "kd_loss_backward";
  require_kd(kernel, tau, student, teacher);
  require_scalar(kernel, "upstream", upstream);
  require_view(kernel, "d_student", d_student);
  require_same_shape(kernel, "student", student, "d_student", d_student);
  const float *ps = data_as<float>(student), *pt = data_as<float>(teacher);
  float* pd = data_as<float>(d_student);
  const std::int64_t c = student.c;
  const float scale = 1.0f / tau;
  const float factor = static_cast<float>(static_cast<double>(*data_as<float>(upstream)) * static_cast<double>(tau) /
                                          divisor(element_mean, student));
  parallel_for(student.pixels(), cpu::loss_grain(c), [&](std::int64_t begin, std::int64_t end) {
    cpu::SoftmaxBlock block_s(c), block_t(c);
    for (std::int64_t p = begin; p < end; ++p) {
      block_s.add(ps + p * student.pixel_stride);
      block_t.add(pt + p * teacher.pixel_stride);
      if (!block_s.full() && p + 1 < end) continue;
      for (cpu::SoftmaxBlock* block : {&block_s, &block_t}) {
        block->exponentiate(scale);
        block->normalise();
      }
      const std::int64_t count = block_s.count();
      float* first = pd + (p + 1 - count) * d_student.pixel_stride;
      for (std::int64_t i = 0; i < c; ++i) {
        const float *a = block_s.exponential(i), *b = block_t.exponential(i);
        for (std::int64_t q = 0; q < count; ++q) first[q * d_student.pixel_stride + i] = factor * (a[q] - b[q]);
      }
      block_s.clear();
      block_t.clear();
    }
  });
}

}  // namespace gf
