// Matrix tiles in the executor: a right product under every order, and the mistakes it must find.
#include <vector>

#include "kernels/cuda/mma.h"
#include "tests/harness/planted_bug.h"

namespace gf {
namespace {

using namespace harness;

constexpr int kSize = 16, kWide = 32;

// c = a b^T of 16 x 16 matrices, a from shared memory with rows 32 apart, b from global memory; one warp.
__global__ void gf_test_product(const bf16* a, const bf16* b, float* c) {
  GF_SHARED(bf16, left, kSize * kWide);
  GF_SHARED(float, sum, kSize* kSize);
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = lane; i < kSize * kSize; i += 32) left[i / kSize * kWide + i % kSize] = a[i];
  __syncwarp();
  mma::FragmentA fa;
  mma::FragmentB fb;
  mma::Accumulator acc;
  mma::load(fa, left, 0, kWide);
  mma::load(fb, b, 0, kSize);
  mma::zero(acc);
  for (int twice = 0; twice < 2; ++twice) mma::multiply_add(acc, fa, fb);
  mma::store(sum, 0, kSize, acc);
  __syncwarp();
  for (int i = lane; i < kSize * kSize; i += 32) c[i] = sum[i];
}

struct Matrices {
  alignas(32) bf16 a[kSize * kSize], b[kSize * kSize];
  float c[kSize * kSize];

  Matrices() {
    for (int i = 0; i < kSize * kSize; ++i) {
      a[i] = to_bf16(static_cast<float>(i * 7 % 23 - 11));
      b[i] = to_bf16(static_cast<float>(i * 5 % 19 - 9));
      c[i] = -1;
    }
  }
};

TEST_CASE("simt mma: twice the product of two matrices") {
  for_each_order([](const Simt& gpu) {
    Matrices m;
    launch(gpu, gf_test_product, 1, 32, 0, m.a, m.b, m.c);
    for (int row = 0; row < kSize; ++row)
      for (int column = 0; column < kSize; ++column) {
        float sum = 0;
        for (int k = 0; k < kSize; ++k) sum += to_float(m.a[row * kSize + k]) * to_float(m.b[column * kSize + k]);
        REQUIRE(m.c[row * kSize + column] == 2 * sum);
      }
  });
}

__global__ void gf_test_misaligned_tile(const bf16* a) {
  mma::FragmentA f;
  NEXT_LINE_IS_WRONG();
  mma::load(f, a, 8, kSize);
}

__global__ void gf_test_misaligned_rows() {
  GF_SHARED(bf16, s, kSize * 20);
  mma::FragmentB f;
  NEXT_LINE_IS_WRONG();
  mma::load(f, s, 0, 20);
}

__global__ void gf_test_unwritten_tile() {
  GF_SHARED(bf16, s, kSize * kSize);
  mma::FragmentA f;
  NEXT_LINE_IS_WRONG();
  mma::load(f, s, 0, kSize);
}

// Another warp stores where this one reads, and no barrier is between.
__global__ void gf_test_tile_race() {
  GF_SHARED(float, s, kSize* kSize);
  mma::Accumulator acc;
  mma::zero(acc);
  NEXT_LINE_IS_WRONG();
  mma::store(s, 0, kSize, acc);
}

__global__ void gf_test_half_a_warp(const bf16* a) {
  if (threadIdx.x >= 16) return;
  mma::FragmentA f;
  NEXT_LINE_IS_WRONG();
  mma::load(f, a, 0, kSize);
}

__global__ void gf_test_diverged_warp(const bf16* a) {
  mma::FragmentA f;
  if (threadIdx.x < 16) {
    NEXT_LINE_IS_WRONG();
    mma::load(f, a, 0, kSize);
  } else {
    __syncwarp(0xffff0000u);
    __syncwarp();
  }
}

TEST_CASE("simt mma: mistakes are reported") {
  const Matrices m;
  check_reported("misaligned matrix tile",
                 [&](const Simt& gpu) { launch(gpu, gf_test_misaligned_tile, 1, 32, 0, m.a); });
  check_reported("misaligned matrix tile", [](const Simt& gpu) { launch(gpu, gf_test_misaligned_rows, 1, 32, 0); });
  check_reported("never written", [](const Simt& gpu) { launch(gpu, gf_test_unwritten_tile, 1, 32, 0); });
  check_reported("race in shared memory", [](const Simt& gpu) { launch(gpu, gf_test_tile_race, 1, 64, 0); });
  check_reported("without all lanes", [&](const Simt& gpu) { launch(gpu, gf_test_half_a_warp, 1, 32, 0, m.a); });
  check_reported("wait for each other", [&](const Simt& gpu) { launch(gpu, gf_test_diverged_warp, 1, 32, 0, m.a); });
}

}  // namespace
}  // namespace gf
