// Cross entropy and logits distillation in one pass on the GPU (contract: kernels/distillation_loss.h).
//
//   ce_loss = sum_p w[y_p] * -log softmax(z_p)[y_p] / sum_p w[y_p]
//   kd_loss = tau^2 / N * sum_p KL(softmax(t_p / tau) || softmax(z_p / tau))
//   dz = ce_upstream * dCE/dz + kd_upstream * dKD/dz
//
// Memory traffic, b bytes a logit (4 in float32, 2 in bf16), a pixel: z and t read, dz written, 3 * b * C, and the
// labels twice, 8 bytes. Floor: (3 * b * C + 8) * pixels over the memory's bandwidth; the four separate functions move
// 8 * b * C + 12. Three exponentials a channel take about as long where logits are bf16.
//
// A pass over the labels leaves partial sums of weights, 512 at most, which every block of the second kernel merges for
// itself. There a group of lanes holds a pixel of both networks in registers (cuda/pixel_row.h, cuda/pixel_losses.h),
// adds to both losses and writes the gradient. One block merges the losses. All scalars are read on the device.
#include "kernels/distillation_loss.h"

#include "kernels/cuda/labels.h"
#include "kernels/cuda/pixel_losses.h"

namespace gf {
namespace {

enum { kWeight, kBad, kLabelSums };
enum { kCe, kKd, kLosses };

struct LabelSums {
  const float* partial;
  unsigned count;

  template <class Scratch>
  __device__ double merged(int sum, Scratch scratch) const {
    return merged_sum(partial + sum * std::int64_t{count}, count, scratch);
  }
};

// What the gradient is multiplied by. Null: there is none.
struct Upstream {
  const float *ce, *kd;
  float kd_factor;
};

template <class R, class T = typename R::Element>
__global__ void gf_distillation_loss_kernel(PixelCut cut, Rows<const T> z, Rows<const T> teacher, Labels labels,
                                            bool skip_wrong, float inverse_tau, LabelSums label_sums, Upstream upstream,
                                            Rows<T> dz, float* partial) {
  GF_SHARED(float, scratch, kRowWarps);
  GF_SHARED(double, wide_scratch, kRowWarps);
  float ce_scale = 0.0f, kd_scale = 0.0f;
  if (upstream.ce != nullptr) {
    const double weight = label_sums.merged(kWeight, wide_scratch);
    ce_scale = weight == 0.0 ? 0.0f : static_cast<float>(static_cast<double>(*upstream.ce) / weight);
  }
  if (upstream.kd != nullptr) kd_scale = *upstream.kd * upstream.kd_factor;
  float losses[kLosses] = {};
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    const bool active = pixel < cut.pixels;
    R student, soft_teacher;
    student.load(cut, z.at(from));
    if (teacher.data != nullptr) soft_teacher.load(cut, teacher.at(from));
    const int y = labels.counted(*labels.rows.at(from));
    const float weight = y < 0 ? 0.0f : labels.weight(y), top = student.largest(cut);
    R gradient = student;
    float sum;
    const float part = cross_entropy_part(cut, gradient, top, y, weight, sum);
    if (active && y >= 0) losses[kCe] += part;
    cross_entropy_gradient(cut, gradient, sum, y, ce_scale * weight);
    if (teacher.data != nullptr) {
      const float teacher_top = soft_teacher.largest(cut);
      const bool skipped = skip_wrong && is_wrong(cut, soft_teacher, teacher_top, y);
      const SoftPixel soft = soften(cut, student, top, soft_teacher, teacher_top, inverse_tau);
      if (active && !skipped) losses[kKd] += soft.divergence_part(cut);
      if (!skipped) add_soft_gradient(cut, gradient, student, soft_teacher, soft, kd_scale);
    }
    if (active && dz.data != nullptr) gradient.store(cut, dz.at(pixel));
  }
  store_block_sums(losses, scratch, partial);
}

__global__ void gf_distillation_merge_kernel(LabelSums label_sums, const float* partial, unsigned count,
                                             double kd_factor, float* ce_loss, float* kd_loss, int* bad_labels) {
  GF_SHARED(double, scratch, kMergeThreads / kWarpLanes);
  const double weight = label_sums.merged(kWeight, scratch), bad = label_sums.merged(kBad, scratch),
               ce = merged_sum(partial, count, scratch), kd = merged_sum(partial + count, count, scratch);
  if (threadIdx.x != 0) return;
  *ce_loss = weight == 0.0 ? 0.0f : static_cast<float>(ce / weight);
  *kd_loss = static_cast<float>(kd_factor * kd);
  if (bad_labels != nullptr) *bad_labels = static_cast<int>(bad);
}

}  // namespace

void distillation_loss(const Gpu& gpu, const DistillationLoss& p, ConstView z, ConstView teacher, ConstView label,
                       ConstView class_weights, ConstView ce_upstream, ConstView kd_upstream, View ce_loss,
                       View kd_loss, View bad_labels, View dz) {
  const char* kernel = "distillation_loss";
  require_float(kernel, "z", z);
  require_distillation_loss(kernel, p, z, teacher, label, class_weights, ce_upstream, kd_upstream, ce_loss, kd_loss,
                            bad_labels, dz);
  require_countable_pixels(kernel, "z", z);
  const bool distils = teacher.data != nullptr, differentiates = dz.data != nullptr;
  const double tau = static_cast<double>(p.tau), divisor = kd_divisor(p.element_mean, z);
  const Upstream upstream{differentiates ? data_as<float>(ce_upstream) : nullptr,
                          differentiates && distils ? data_as<float>(kd_upstream) : nullptr,
                          static_cast<float>(tau / divisor)};
  const Labels labels = labels_of(label, p.ignore_index, z.c, class_weights);
  const bool in_packs = takes_packs(z) && (!distils || takes_packs(teacher)) && (!differentiates || takes_packs(dz));
  with_row(z, in_packs, [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    const std::int64_t label_count = label_blocks(z.pixels()), blocks = cut.blocks();
    float* of_labels = take_workspace<float>(gpu, kernel, kLabelSums * label_count + kLosses * blocks);
    float* partial = of_labels + kLabelSums * label_count;
    const LabelSums label_sums{of_labels, static_cast<unsigned>(label_count)};
    launch(gpu, gf_label_sums_kernel<kLabelSums>, label_count, kRowThreads, 0, labels,
           static_cast<unsigned>(z.pixels()), of_labels);
    if (blocks > 0) {
      launch(gpu, gf_distillation_loss_kernel<R>, blocks, kRowThreads, 0, cut, rows_of<const T>(z),
             rows_of<const T>(teacher), labels, p.skip_wrong, 1.0f / p.tau, label_sums, upstream, rows_of<T>(dz),
             partial);
    }
    launch(gpu, gf_distillation_merge_kernel, 1, kMergeThreads, 0, label_sums, partial, static_cast<unsigned>(blocks),
           tau * tau / divisor, data_as<float>(ce_loss), data_as<float>(kd_loss), data_as<int>(bad_labels));
  });
}

}  // namespace gf
