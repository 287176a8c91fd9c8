// Logits distillation (losses.h).
#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/loss_checks.h"
#include "kernels/cpu/softmax_row.h"
#include "kernels/losses.h"

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
        float et[cpu::kMaxClasses], es[cpu::kMaxClasses];
        for (std::int64_t p = begin; p < end; ++p) {
          const float *s = ps + p * student.pixel_stride, *t = pt + p * teacher.pixel_stride;
          const float top_s = cpu::largest(s, c), top_t = cpu::largest(t, c);
          const float sum_s = cpu::exp_row(s, c, scale, top_s, es), sum_t = cpu::exp_row(t, c, scale, top_t, et);
          double dot = 0.0;
          for (std::int64_t i = 0; i < c; ++i)
            dot += static_cast<double>(et[i]) * static_cast<double>(((t[i] - top_t) - (s[i] - top_s)) * scale);
          *sum += dot / static_cast<double>(sum_t) - static_cast<double>(std::log(sum_t) - std::log(sum_s));
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
    float t[cpu::kMaxClasses];
    for (std::int64_t p = begin; p < end; ++p) {
      float* to = pd + p * d_student.pixel_stride;
      cpu::softmax_row(pt + p * teacher.pixel_stride, c, scale, t);
      cpu::softmax_row(ps + p * student.pixel_stride, c, scale, to);
      for (std::int64_t i = 0; i < c; ++i) to[i] = factor * (to[i] - t[i]);
    }
  });
}

}  // namespace gf
