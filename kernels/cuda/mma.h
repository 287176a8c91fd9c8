#pragma once
// 16 x 16 x 16 matrix products on tensor cores: bf16 factors, float32 sums. A warp works on a tile together; every call
// is made by all of its 32 lanes, like a barrier. Under nvcc this is CUDA's wmma, under the host compiler kernels/simt
// plays the warp (sums there run in the order of k; a tensor core's order is its own).
//
//   mma::FragmentA a; mma::load(a, s, i, ld)     a(m,k) = s[i + m*ld + k]     s: shared or global memory, bf16
//   mma::FragmentB b; mma::load(b, s, i, ld)     b(k,n) = s[i + n*ld + k]     (weights: a row per output channel)
//   mma::Accumulator c; mma::zero(c);
//   mma::multiply_add(c, a, b)                   c(m,n) += sum_k a(m,k) b(k,n)
//   mma::store(s, i, ld, c)                      s[i + m*ld + n] = c(m,n)     s: shared memory, float32
//
// s + i must be a multiple of 32 bytes, ld of 16.
#ifdef __CUDACC__
#include <mma.h>

#include "kernels/bf16.h"

namespace gf::mma {

namespace wmma = nvcuda::wmma;
using FragmentA = wmma::fragment<wmma::matrix_a, 16, 16, 16, __nv_bfloat16, wmma::row_major>;
using FragmentB = wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::col_major>;
using Accumulator = wmma::fragment<wmma::accumulator, 16, 16, 16, float>;

template <class Fragment>
__device__ void load(Fragment& f, const bf16* s, int i, int ld) {
  wmma::load_matrix_sync(f, reinterpret_cast<const __nv_bfloat16*>(s + i), static_cast<unsigned>(ld));
}
__device__ inline void zero(Accumulator& c) { wmma::fill_fragment(c, 0.0f); }
__device__ inline void multiply_add(Accumulator& c, const FragmentA& a, const FragmentB& b) {
  wmma::mma_sync(c, a, b, c);
}
__device__ inline void store(float* s, int i, int ld, const Accumulator& c) {
  wmma::store_matrix_sync(s + i, c, static_cast<unsigned>(ld), wmma::mem_row_major);
}

}  // namespace gf::mma
#else
#include "kernels/simt/mma.h"
#endif
