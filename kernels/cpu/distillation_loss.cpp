// Cross entropy and logits distillation in one pass (distillation_loss.h).
#include "kernels/distillation_loss.h"

#include <cmath>

#include "kernels/cpu/chunked_sum.h"
#include "kernels/cpu/soft_divergence.h"
#include "kernels/loss_checks.h"

namespace gf {
namespace {

constexpr std::int64_t kLabelGrain = 32768;

// What the chunks have in common.
struct Pass {
  const DistillationLoss& p;
  ConstView z, teacher, label;
  const float* weights;
  float ce_scale, kd_scale;  // of the gradient
  View dz;

  bool distils() const { return teacher.data != nullptr; }
  float weight(int y) const { return y < 0 ? 0.0f : weights == nullptr ? 1.0f : weights[y]; }
  int counted(std::int64_t pixel) const {
    return counted_class(data_as<std::int32_t>(label)[pixel * label.pixel_stride], p.ignore_index, z.c);
  }
  bool skips(std::int64_t pixel) const {
    return p.skip_wrong && is_wrong(data_as<float>(teacher) + pixel * teacher.pixel_stride, counted(pixel), teacher.c);
  }
};

// The pixels [first, first + hard.count()), whose logits the blocks hold: adds to the losses, writes dz.
void finish_block(const Pass& pass, std::int64_t first, cpu::SoftmaxBlock& hard, cpu::SoftmaxBlock& student,
                  cpu::SoftmaxBlock& teacher, double& ce, double& kd) {
  const std::int64_t classes = pass.z.c, count = hard.count();
  hard.exponentiate(1.0f);
  for (std::int64_t q = 0; q < count; ++q) {
    const int y = pass.counted(first + q);
    if (y < 0) continue;
    const float log_sum = std::log(static_cast<float>(hard.sum(q)));
    ce += static_cast<double>(pass.weight(y)) * static_cast<double>(log_sum - hard.shifted(y)[q]);
  }
  bool skipped[cpu::SoftmaxBlock::kPixels];
  if (pass.distils()) {
    student.exponentiate(1.0f / pass.p.tau);
    teacher.exponentiate(1.0f / pass.p.tau);
    for (std::int64_t q = 0; q < count; ++q) skipped[q] = pass.skips(first + q);
    kd += cpu::soft_divergence(student, teacher, classes, skipped);
  }
  if (pass.dz.data == nullptr) return;
  hard.normalise();
  if (pass.distils()) {
    student.normalise();
    teacher.normalise();
  }
  for (std::int64_t q = 0; q < count; ++q) {
    float* to = data_as<float>(pass.dz) + (first + q) * pass.dz.pixel_stride;
    const int y = pass.counted(first + q);
    const float factor = pass.ce_scale * pass.weight(y);
    for (std::int64_t i = 0; i < classes; ++i)
      to[i] = y < 0 ? 0.0f : factor * (hard.exponential(i)[q] - (i == y ? 1.0f : 0.0f));
    if (!pass.distils() || skipped[q]) continue;
    for (std::int64_t i = 0; i < classes; ++i)
      to[i] += pass.kd_scale * (student.exponential(i)[q] - teacher.exponential(i)[q]);
  }
}

}  // namespace

void distillation_loss(const Cpu& cpu, const DistillationLoss& p, ConstView z, ConstView teacher, ConstView label,
                       ConstView class_weights, ConstView ce_upstream, ConstView kd_upstream, View ce_loss,
                       View kd_loss, View bad_labels, View dz) {
  const char* kernel = "distillation_loss";
  require_view(kernel, "z", z);
  require_distillation_loss(kernel, p, z, teacher, label, class_weights, ce_upstream, kd_upstream, ce_loss, kd_loss,
                            bad_labels, dz);
  Pass pass{p, z, teacher, label, data_as<float>(class_weights), 0.0f, 0.0f, dz};
  const std::int64_t pixels = z.pixels(), grain = cpu::loss_grain(z.c);
  enum { kWeight, kBad, kLabelSums };
  enum { kCe, kKd, kLosses };
  const std::int64_t label_size = cpu::chunked_sum_size(pixels, kLabelGrain, kLabelSums),
                     loss_size = cpu::chunked_sum_size(pixels, grain, kLosses);
  cpu::Scratch scratch(cpu, kernel, cpu::Scratch::bytes<double>(label_size) + cpu::Scratch::bytes<double>(loss_size));
  const double* of_labels = cpu::chunked_sum_in(scratch.take<double>(label_size), pixels, kLabelGrain, kLabelSums,
                                                [&](std::int64_t begin, std::int64_t end, double* sum) {
                                                  for (std::int64_t i = begin; i < end; ++i) {
                                                    const std::int32_t id =
                                                        data_as<std::int32_t>(label)[i * label.pixel_stride];
                                                    sum[kWeight] += static_cast<double>(pass.weight(pass.counted(i)));
                                                    sum[kBad] += is_bad(id, p.ignore_index, z.c) ? 1.0 : 0.0;
                                                  }
                                                });
  const double weight = of_labels[kWeight], divisor = kd_divisor(p.element_mean, z), tau = static_cast<double>(p.tau);
  if (dz.data != nullptr) {
    const auto factor = [](const ConstView& v) { return static_cast<double>(*data_as<float>(v)); };
    pass.ce_scale = weight == 0.0 ? 0.0f : static_cast<float>(factor(ce_upstream) / weight);
    pass.kd_scale = pass.distils() ? static_cast<float>(factor(kd_upstream) * tau / divisor) : 0.0f;
  }
  const double* losses = cpu::chunked_sum_in(
      scratch.take<double>(loss_size), pixels, grain, kLosses, [&](std::int64_t begin, std::int64_t end, double* sum) {
        cpu::SoftmaxBlock hard(z.c), student(z.c), soft_teacher(z.c);
        for (std::int64_t i = begin; i < end; ++i) {
          const float* logits = data_as<float>(z) + i * z.pixel_stride;
          hard.add(logits);
          if (pass.distils()) {
            student.add(logits);
            soft_teacher.add(data_as<float>(teacher) + i * teacher.pixel_stride);
          }
          if (!hard.full() && i + 1 < end) continue;
          finish_block(pass, i + 1 - hard.count(), hard, student, soft_teacher, sum[kCe], sum[kKd]);
          for (cpu::SoftmaxBlock* block : {&hard, &student, &soft_teacher}) block->clear();
        }
      });
  *data_as<float>(ce_loss) = weight == 0.0 ? 0.0f : static_cast<float>(losses[kCe] / weight);
  *data_as<float>(kd_loss) = static_cast<float>(tau * tau * losses[kKd] / divisor);
  if (bad_labels.data != nullptr) *data_as<std::int32_t>(bad_labels) = static_cast<std::int32_t>(of_labels[kBad]);
}

}  // namespace gf
