// The norm of all gradients on the GPU (contract: kernels/optimizer.h).
//
//   norm = sqrt(sum of x^2)
//
// Memory traffic: x once, 4 bytes an element; the partial sums are 8 KB at most. Floor: those bytes over the memory's
// bandwidth.
//
// Every thread asks for four packs of 16 bytes before it uses the first, adds the squares of a pack in float32 and the
// packs in double; the block's threads are added pairwise, and one block adds up the blocks. Which thread takes what
// depends on the number of elements only.
#include <algorithm>

#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/element.h"
#include "kernels/optimizer.h"

namespace gf {
namespace {

constexpr int kThreads = 256;
constexpr int kRun = 4;
constexpr std::int64_t kMaxBlocks = 1024;

template <int kWidth>
__device__ double squares(const float (&v)[kWidth]) {
  float sum = 0;
  for (int i = 0; i < kWidth; ++i) sum += v[i] * v[i];
  return static_cast<double>(sum);
}

template <int kWidth>
__global__ void gf_sum_of_squares_kernel(const float* x, std::int64_t count, double* parts) {
  GF_SHARED(double, scratch, kThreads / 32);
  const std::int64_t packs = count / kWidth, threads = std::int64_t{gridDim.x} * blockDim.x;
  const std::int64_t thread = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  double sum = 0;
  for (std::int64_t i = thread; i < packs; i += kRun * threads) {
    float v[kRun][kWidth] = {};
    for (int k = 0; k < kRun; ++k) {
      if (i + k * threads < packs) load_elements<kWidth>(x + (i + k * threads) * kWidth, v[k]);
    }
    for (int k = 0; k < kRun; ++k) sum += squares(v[k]);
  }
  if (thread < count - packs * kWidth) {  // what is no whole pack
    const float rest[1] = {x[packs * kWidth + thread]};
    sum += squares(rest);
  }
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

__global__ void gf_gradient_norm_kernel(const double* parts, int count, float* norm) {
  GF_SHARED(double, scratch, kThreads / 32);
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kThreads) sum += parts[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *norm = static_cast<float>(sqrt(sum));
}

}  // namespace

void gradient_norm(const Gpu& gpu, ConstView x, View norm) {
  const char* kernel = "gradient_norm";
  require_scalar(kernel, "norm", norm);
  require_view(kernel, "x", x);
  require_dense(kernel, "x", x);
  constexpr int kPack = kPackWidth<float>;
  const std::int64_t count = x.count();
  const std::int64_t blocks = std::clamp<std::int64_t>(blocks_for(count, kThreads * kRun * kPack), 1, kMaxBlocks);
  double* parts = take_workspace<double>(gpu, kernel, blocks);
  const bool aligned = reinterpret_cast<std::uintptr_t>(x.data) % 16 == 0;
  launch(gpu, aligned ? gf_sum_of_squares_kernel<kPack> : gf_sum_of_squares_kernel<1>, blocks, kThreads, 0,
         data_as<float>(x), count, parts);
  launch(gpu, gf_gradient_norm_kernel, 1, kThreads, 0, parts, static_cast<int>(blocks), data_as<float>(norm));
}

}  // namespace gf
