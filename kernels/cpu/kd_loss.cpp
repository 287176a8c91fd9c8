// Logits distillation (losses.h).
#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/soft_divergence.h"
#include "kernels/loss_checks.h"

namespace gf {
namespace {

// skipped[q]: whether the teacher is wrong in pixel first + q.
void find_wrong(const ConstView& teacher, const TeacherCheck& check, std::int64_t first, std::int64_t count,
                bool* skipped) {
  const std::int64_t labelled = check.label.data == nullptr ? 0 : check.label.pixels();
  for (std::int64_t q = 0; q < count; ++q) {
    const std::int64_t p = first + q;
    if (p >= labelled) {
      skipped[q] = false;
      continue;
    }
    const std::int32_t label = data_as<std::int32_t>(check.label)[p * check.label.pixel_stride];
    skipped[q] = is_wrong(data_as<float>(teacher) + p * teacher.pixel_stride,
                          counted_class(label, check.ignore_index, teacher.c), teacher.c);
  }
}

}  // namespace

void kd_loss_forward(const Cpu& cpu, float tau, bool element_mean, ConstView student, ConstView teacher, View loss,
                     const TeacherCheck& check) {
  const char* kernel = "kd_loss_forward";
  require_view(kernel, "student", student);
  require_kd(kernel, tau, "student", student, teacher);
  require_teacher_check(kernel, "student", student, check);
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
                                             bool skipped[cpu::SoftmaxBlock::kPixels];
                                             const std::int64_t count = block_s.count();
                                             find_wrong(teacher, check, p + 1 - count, count, skipped);
                                             *sum += cpu::soft_divergence(block_s, block_t, c, skipped);
                                             block_s.clear();
                                             block_t.clear();
                                           }
                                         });
  *data_as<float>(loss) = static_cast<float>(static_cast<double>(tau) * static_cast<double>(tau) * total /
                                             kd_divisor(element_mean, student));
}

// d/ds = upstream * tau / divisor * (softmax(s / tau) - softmax(t / tau))
void kd_loss_backward(const Cpu&, float tau, bool element_mean, ConstView student, ConstView teacher,
                      ConstView upstream, View d_student, const TeacherCheck& check) {
  const char* kernel = "kd_loss_backward";
  require_view(kernel, "student", student);
  require_kd(kernel, tau, "student", student, teacher);
  require_teacher_check(kernel, "student", student, check);
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
      bool skipped[cpu::SoftmaxBlock::kPixels];
      find_wrong(teacher, check, p + 1 - count, count, skipped);
      for (std::int64_t i = 0; i < c; ++i) {
        const float *a = block_s.exponential(i), *b = block_t.exponential(i);
        for (std::int64_t q = 0; q < count; ++q)
          first[q * d_student.pixel_stride + i] = skipped[q] ? 0.0f : factor * (a[q] - b[q]);
      }
      block_s.clear();
      block_t.clear();
    }
  });
}

}  // namespace gf
