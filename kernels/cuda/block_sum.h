#pragma once
// The sum of one number of every thread of a block, in an order that depends on the block's size only.
#include "kernels/launch.h"

namespace gf {

// Pairwise within a warp by shuffles, then over the warps. Every thread of the block calls it and gets the sum.
// `scratch` is shared memory for one float a warp; it is free again on return.
template <class Scratch>
__device__ float block_sum(float value, Scratch scratch) {
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x, warps = (blockDim.x * blockDim.y + 31) / 32;
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  if (thread % 32 == 0) scratch[thread / 32] = value;
  __syncthreads();
  float sum = 0;
  for (unsigned w = 0; w < warps; ++w) sum += scratch[w];
  __syncthreads();
  return sum;
}

}  // namespace gf
