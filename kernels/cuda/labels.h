#pragma once
// Labels and class weights as the losses' kernels see them, and the sums that need the labels alone.
#include "kernels/cuda/loss_sums.h"
#include "kernels/cuda/pixel_row.h"
#include "kernels/loss_checks.h"

namespace gf {

struct Labels {
  Rows<const std::int32_t> rows;
  int ignore_index, classes;
  const float* weights;  // null: ones

  __device__ int counted(std::int32_t label) const { return counted_class(label, ignore_index, classes); }
  __device__ bool bad(std::int32_t label) const { return is_bad(label, ignore_index, classes); }
  // Of a label that counts.
  __device__ float weight(int y) const { return weights == nullptr ? 1.0f : weights[y]; }
};

inline Labels labels_of(const ConstView& label, int ignore_index, std::int64_t classes,
                        const ConstView& class_weights = {}) {
  return {rows_of<const std::int32_t>(label), ignore_index, static_cast<int>(classes), data_as<float>(class_weights)};
}

// Few enough blocks that each block of a later kernel can merge their sums itself.
inline std::int64_t label_blocks(std::int64_t pixels) {
  constexpr std::int64_t kPixelsAThread = 8, kMostBlocks = 512;
  return std::clamp<std::int64_t>(blocks_for(pixels, kRowThreads * kPixelsAThread), 1, kMostBlocks);
}

// The weights of all pixels that count, and (kSums is 2) how many labels are bad: a first pass of 4 bytes a pixel.
template <int kSums>
__global__ void gf_label_sums_kernel(Labels labels, unsigned pixels, float* partial) {
  GF_SHARED(float, scratch, kRowWarps);
  float sums[kSums] = {};
  for (unsigned pixel = blockIdx.x * kRowThreads + threadIdx.x; pixel < pixels; pixel += gridDim.x * kRowThreads) {
    const std::int32_t label = *labels.rows.at(pixel);
    const int y = labels.counted(label);
    if (y >= 0) sums[0] += labels.weight(y);
    if (kSums > 1 && labels.bad(label)) sums[kSums - 1] += 1.0f;
  }
  store_block_sums(sums, scratch, partial);
}

}  // namespace gf
