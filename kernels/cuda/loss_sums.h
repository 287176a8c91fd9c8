#pragma once
// Sums over all pixels for the losses: float32 in a thread over its few pixels, pairwise over a block, and the blocks'
// partial sums merged in double; all in an order fixed by the shapes.
#include "kernels/cuda/block_sum.h"

namespace gf {

constexpr int kMergeThreads = 256;  // of the one block that merges

__device__ inline unsigned block_number() { return blockIdx.y * gridDim.x + blockIdx.x; }
__device__ inline unsigned block_count() { return gridDim.x * gridDim.y; }

// Sum s of this block becomes partial[s * blocks + this block's number]. `scratch`: one float a warp.
template <int kSums, class Scratch>
__device__ void store_block_sums(const float (&sums)[kSums], Scratch scratch, float* partial) {
  for (int s = 0; s < kSums; ++s) {
    const float total = block_sum(sums[s], scratch);
    if (threadIdx.x == 0 && threadIdx.y == 0) partial[s * std::int64_t{block_count()} + block_number()] = total;
  }
}

// The sum of partial[0..count), for every thread of the block. `scratch`: one double a warp.
template <class Scratch>
__device__ double merged_sum(const float* partial, unsigned count, Scratch scratch) {
  double sum = 0.0;
  for (unsigned i = threadIdx.x; i < count; i += blockDim.x) sum += static_cast<double>(partial[i]);
  return block_sum(sum, scratch);
}

// loss = factor * the sum of partial[0..count); one block.
template <class Loss>
__global__ void gf_merge_loss_kernel(const float* partial, unsigned count, double factor, Loss* loss) {
  GF_SHARED(double, scratch, kMergeThreads / 32);
  const double sum = merged_sum(partial, count, scratch);
  if (threadIdx.x == 0) *loss = static_cast<Loss>(factor * sum);
}

}  // namespace gf
