// Cross entropy on the GPU (contract: kernels/losses.h).
//
//   loss = sum_p w[y_p] * (log sum_c exp(z_pc) - z_py) / sum_p w[y_p]
//   dz_p = upstream * w[y_p] / sum w * (softmax(z_p) - onehot(y_p)), 0 where the pixel does not count
//
// Memory traffic, b bytes a logit (4 in float32, 2 in bf16), a pixel: the loss reads b * C + 4, the gradient reads the
// same and writes b * C; it needs the sum of weights before, another 4 bytes for the labels. Floor: those bytes over
// the memory's bandwidth, (8 * C + 8) * pixels for the gradient in float32.
//
// Loss: a group of lanes holds a pixel (cuda/pixel_row.h) and sums over a few; blocks leave partial sums, one block
// merges them. Gradient: a pass over the labels leaves partial sums of weights, which every block of the second kernel
// merges for itself, 512 at most; so no third kernel waits between. Logits are read whether the pixel counts or not,
// as waiting for its label would cost more.
#include "kernels/cuda/labels.h"
#include "kernels/cuda/pixel_losses.h"

namespace gf {
namespace {

enum { kLoss, kWeight, kBad, kSums };

template <class R, class T = typename R::Element>
__global__ void gf_cross_entropy_kernel(PixelCut cut, Rows<const T> z, Labels labels, float* partial) {
  GF_SHARED(float, scratch, kRowWarps);
  float sums[kSums] = {};
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    R row;
    row.load(cut, z.at(from));
    const std::int32_t label = *labels.rows.at(from);
    const int y = pixel < cut.pixels ? labels.counted(label) : -1;
    const float weight = y < 0 ? 0.0f : labels.weight(y);
    float sum;
    const float part = cross_entropy_part(cut, row, row.largest(cut), y, weight, sum);
    if (y >= 0) sums[kLoss] += part;
    if (cut.lane() != 0) continue;
    sums[kWeight] += weight;
    sums[kBad] += pixel < cut.pixels && labels.bad(label) ? 1.0f : 0.0f;
  }
  store_block_sums(sums, scratch, partial);
}

__global__ void gf_cross_entropy_merge_kernel(const float* partial, unsigned count, float* loss, int* bad_labels) {
  GF_SHARED(double, scratch, kMergeThreads / 32);
  double sums[kSums];
  for (int s = 0; s < kSums; ++s) sums[s] = merged_sum(partial + s * std::int64_t{count}, count, scratch);
  if (threadIdx.x != 0) return;
  *loss = sums[kWeight] == 0.0 ? 0.0f : static_cast<float>(sums[kLoss] / sums[kWeight]);
  if (bad_labels != nullptr) *bad_labels = static_cast<int>(sums[kBad]);
}

template <class R, class T = typename R::Element>
__global__ void gf_cross_entropy_backward_kernel(PixelCut cut, Rows<const T> z, Labels labels, const float* weights,
                                                 unsigned weight_count, const float* upstream, Rows<T> dz) {
  GF_SHARED(double, scratch, kRowWarps);
  const double weight = merged_sum(weights, weight_count, scratch);
  const float scale = weight == 0.0 ? 0.0f : static_cast<float>(static_cast<double>(*upstream) / weight);
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    R row;
    row.load(cut, z.at(from));
    const int y = labels.counted(*labels.rows.at(from));
    const float sum = row.exponentiate(cut, row.largest(cut));
    cross_entropy_gradient(cut, row, sum, y, y < 0 ? 0.0f : scale * labels.weight(y));
    if (pixel < cut.pixels) row.store(cut, dz.at(pixel));
  }
}

}  // namespace

void cross_entropy_forward(const Gpu& gpu, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                           View loss, View bad_labels) {
  const char* kernel = "cross_entropy_forward";
  require_float(kernel, "z", z);
  require_cross_entropy(kernel, z, label, class_weights);
  require_scalar(kernel, "loss", loss);
  require_bad_labels(kernel, bad_labels);
  require_countable_pixels(kernel, "z", z);
  with_row(z, takes_packs(z), [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    const std::int64_t blocks = cut.blocks();
    float* partial = take_workspace<float>(gpu, kernel, kSums * std::max<std::int64_t>(blocks, 1));
    if (blocks > 0) {
      launch(gpu, gf_cross_entropy_kernel<R>, blocks, kRowThreads, 0, cut, rows_of<const T>(z),
             labels_of(label, ignore_index, z.c, class_weights), partial);
    }
    launch(gpu, gf_cross_entropy_merge_kernel, 1, kMergeThreads, 0, partial, static_cast<unsigned>(blocks),
           data_as<float>(loss), data_as<int>(bad_labels));
  });
}

void cross_entropy_backward(const Gpu& gpu, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                            ConstView upstream, View dz) {
  const char* kernel = "cross_entropy_backward";
  require_float(kernel, "z", z);
  require_cross_entropy(kernel, z, label, class_weights);
  require_gradient(kernel, "z", z, "dz", dz, upstream);
  require_countable_pixels(kernel, "z", z);
  if (z.pixels() == 0) return;
  const Labels labels = labels_of(label, ignore_index, z.c, class_weights);
  const std::int64_t weight_count = label_blocks(z.pixels());
  float* weights = take_workspace<float>(gpu, kernel, weight_count);
  launch(gpu, gf_label_sums_kernel<1>, weight_count, kRowThreads, 0, labels, static_cast<unsigned>(z.pixels()),
         weights);
  with_row(z, takes_packs(z) && takes_packs(dz), [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    launch(gpu, gf_cross_entropy_backward_kernel<R>, cut.blocks(), kRowThreads, 0, cut, rows_of<const T>(z), labels,
           weights, static_cast<unsigned>(weight_count), data_as<float>(upstream), rows_of<T>(dz));
  });
}

}  // namespace gf
