#pragma once
// One number of every thread of a block made one, in an order that depends on the block's size only.
#include "kernels/launch.h"

namespace gf {

// Pairwise within a warp by shuffles, then over the warps. Every thread of the block calls it and gets the result.
// `scratch` is shared memory for one T a warp; it is free again on return.
template <class T, class Scratch, class Op>
__device__ T block_reduce(T value, Scratch scratch, const Op& op) {
  const unsigned thread = threadIdx.y * blockDim.x + threadIdx.x, warps = (blockDim.x * blockDim.y + 31) / 32;
  for (int step = 16; step > 0; step /= 2) value = op(value, __shfl_xor_sync(0xffffffffu, value, step));
  if (thread % 32 == 0) scratch[thread / 32] = value;
  __syncthreads();
  T all = scratch[0];
  for (unsigned w = 1; w < warps; ++w) all = op(all, scratch[w]);
  __syncthreads();
  return all;
}

template <class T, class Scratch>
__device__ T block_sum(T value, Scratch scratch) {
  return block_reduce(value, scratch, [](T a, T b) { return a + b; });
}

}  // namespace gf
