// Logits distillation (losses.h).
#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/soft_divergence.h"
#include "kernels/loss_checks.h"

namespace gf {

void kd_loss_forward(const Cpu& cpu, float tau, bool element_mean, ConstView student, ConstView teacher, View loss) {
  const char* kernel = "kd_loss_forward";
  require_view(kernel, "student", student);
  require_kd(kernel, tau, "student", student, teacher);
  require_scalar(kernel, "loss", loss);
  const float *ps = data_as<float>(student), *pt = data_as<float>(teacher);
  const std::int64_t c = student.c;
  const float scale = 1.0f / tau;
  const double total = *cpu::chunked_sum(cpu, kernel, student.pixels(), cpu::loss_grain(c), 1,
                                         [&](std::int64_t begin, std::int64_t end, double* sum) {
                                           cpu::SoftmaxBlock block_s(c), block_t(c);
                                           for (std::int64_t p = begin; p < end; ++p) {
                                             block_s.add(ps + p * student.pixel_stride);
                                             block_t.add(pt + p * teacher.pixel_stride);
                                             if (!block_s.full() && p + 1 < end) continue;
                                             block_s.exponentiate(scale);
                                             block_t.exponentiate(scale);
                                             *sum += cpu::soft_divergence(block_s, block_t, c);
                                             block_s.clear();
                                             block_t.clear();
                                           }
                                         });
  *data_as<float>(loss) = static_cast<float>(static_cast<double>(tau) * static_cast<double>(tau) * total /
                                             kd_divisor(element_mean, student));
}

// d/ds = upstream * tau / divisor * (softmax(s / tau) - softmax(t / tau))
void kd_loss_backward(const Cpu&, float tau, bool element_mean, ConstView student, ConstView teacher,
                      ConstView upstream, View d_student) {
  const char* kernel = "kd_loss_backward";
  require_view(kernel, "student", student);
  require_kd(kernel, tau, "student", student, teacher);
  require_gradient(kernel, "student", student, "d_student", d_student, upstream);
  const float *ps = data_as<float>(student), *pt = data_as<float>(teacher);
  float* pd = data_as<float>(d_student);
  const std::int64_t c = student.c;
  const float scale = 1.0f / tau;
  const float factor = static_cast<float>(static_cast<double>(*data_as<float>(upstream)) * static_cast<double>(tau) /
                                          kd_divisor(element_mean, student));
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
