// The executor itself: right kernels give right results under every order; each planted bug is found and reported with
// its file and line.
#include <numeric>
#include <vector>

#include "tests/harness/planted_bug.h"

namespace gf {
namespace {

using namespace harness;

constexpr int kBlock = 96;

// ---- kernels that are right

// Sums 3 * blockDim numbers a block: shared memory, barriers, shuffles; the last block's threads return early.
__global__ void gf_test_sum(const int* x, int count, int* y) {
  GF_SHARED(int, partial, kBlock / 32);
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  int sum = i < count ? x[i] : 0;
  for (int delta = 16; delta > 0; delta /= 2) sum += __shfl_down_sync(0xffffffffu, sum, static_cast<unsigned>(delta));
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  int total = 0;
  for (int w = 0; w < kBlock / 32; ++w) total += partial[w];
  y[blockIdx.x] = total;
}

TEST_CASE("simt: block sums by shuffles and shared memory") {
  std::vector<int> x(1000), y(11);
  std::iota(x.begin(), x.end(), 1);
  for_each_order([&](const Simt& gpu) {
    std::fill(y.begin(), y.end(), -1);
    launch(gpu, gf_test_sum, 11, kBlock, 0, x.data(), 1000, y.data());
    CHECK(std::accumulate(y.begin(), y.end(), 0) == 500500);
    CHECK(y[0] == 96 * 97 / 2);
  });
}

__global__ void gf_test_early_return(int live, int* barriers) {
  if (static_cast<int>(threadIdx.x) >= live) return;
  __syncthreads();
  atomicAdd(&barriers[blockIdx.x], 1);
}

TEST_CASE("simt: threads that return before a barrier are not waited for") {
  for (const int live : {1, 31, 32, 33, 95}) {
    for_each_order([&](const Simt& gpu) {
      std::vector<int> barriers(4, 0);
      launch(gpu, gf_test_early_return, 4, kBlock, 0, live, barriers.data());
      for (const int b : barriers) CHECK(b == live);
    });
  }
}

__global__ void gf_test_votes(int* out) {
  const int lane = static_cast<int>(threadIdx.x) % 32, odd = lane % 2;
  int bad = 0;
  bad += __ballot_sync(0xffffffffu, odd) != 0xaaaaaaaau;
  bad += __any_sync(0xffffffffu, lane == 31) != 1;
  bad += __any_sync(0xffffffffu, lane == 32) != 0;
  bad += __all_sync(0xffffffffu, lane < 32) != 1;
  bad += __all_sync(0xffffffffu, lane < 31) != 0;
  bad += __shfl_sync(0xffffffffu, lane, 7) != 7;
  bad += __shfl_sync(0xffffffffu, lane, 3, 8) != lane / 8 * 8 + 3;
  bad += __shfl_up_sync(0xffffffffu, lane, 5) != (lane < 5 ? lane : lane - 5);
  bad += __shfl_down_sync(0xffffffffu, lane, 5, 16) != (lane % 16 + 5 < 16 ? lane + 5 : lane);
  bad += __shfl_xor_sync(0xffffffffu, lane, 9) != (lane ^ 9);
  bad += __shfl_down_sync(0xffffffffu, 0.5 * lane, 1) != 0.5 * (lane < 31 ? lane + 1 : lane);
  // The two halves of a warp meet by themselves, one of them twice.
  const unsigned half = lane < 16 ? 0x0000ffffu : 0xffff0000u;
  if (lane < 16) {
    bad += __ballot_sync(half, 1) != half;
    bad += __shfl_xor_sync(half, lane, 15) != 15 - lane;
  } else {
    bad += __ballot_sync(half, odd) != 0xaaaa0000u;
  }
  __syncwarp();
  bad += __syncthreads_count(odd) != kBlock / 2;
  bad += __syncthreads_or(threadIdx.x == 77) != 1;
  bad += __syncthreads_or(threadIdx.x == kBlock) != 0;
  bad += __syncthreads_and(threadIdx.x < kBlock) != 1;
  bad += __syncthreads_and(threadIdx.x != 50) != 0;
  out[threadIdx.x] = bad;
}

TEST_CASE("simt: votes, shuffles within groups, counting barriers") {
  for_each_order([](const Simt& gpu) {
    std::vector<int> out(kBlock, -1);
    launch(gpu, gf_test_votes, 1, kBlock, 0, out.data());
    for (const int bad : out) CHECK(bad == 0);
  });
}

// A tile is turned: every element is written by one thread and read by another, again in every round.
__global__ void gf_test_transpose(const float* x, float* y, int rounds) {
  GF_DYN_SHARED(float, tile);
  const unsigned i = threadIdx.y * 8 + threadIdx.x, t = threadIdx.x * 8 + threadIdx.y;
  for (int r = 0; r < rounds; ++r) {
    tile[i] = x[i] + static_cast<float>(r);
    __syncthreads();
    const float v = tile[t];
    __syncthreads();
    y[i] = v;
  }
}

TEST_CASE("simt: shared memory is used again after a barrier") {
  std::vector<float> x(64), y(64);
  std::iota(x.begin(), x.end(), 0.0f);
  for_each_order([&](const Simt& gpu) {
    launch(gpu, gf_test_transpose, 1, {8, 8}, 64 * sizeof(float), x.data(), y.data(), 3);
    for (int i = 0; i < 64; ++i) CHECK(y[static_cast<std::size_t>(i)] == static_cast<float>(i % 8 * 8 + i / 8 + 2));
  });
}

// Warp-wide work needs only __syncwarp.
__global__ void gf_test_warp_shared(int* out) {
  GF_SHARED(int, s, kBlock);
  const unsigned i = threadIdx.x, neighbour = i / 32 * 32 + (i + 1) % 32;
  for (int r = 0; r < 3; ++r) {
    s[i] = static_cast<int>(i) + r;
    __syncwarp();
    out[i] = s[neighbour];
    __syncwarp();
  }
}

TEST_CASE("simt: __syncwarp orders the lanes of a warp") {
  for_each_order([](const Simt& gpu) {
    std::vector<int> out(kBlock);
    launch(gpu, gf_test_warp_shared, 1, kBlock, 0, out.data());
    CHECK(out[31] == 2);
    CHECK(out[64] == 67);
  });
}

__global__ void gf_test_histogram(const unsigned* x, int count, unsigned* bins, int* largest) {
  GF_SHARED(unsigned, local, 4);
  if (threadIdx.x < 4) local[threadIdx.x] = 0u;
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < count; i += kBlock) {
    atomicAdd(&local[x[i] % 4], 1u);
    atomicMax(largest, static_cast<int>(x[i]));
  }
  __syncthreads();
  if (threadIdx.x < 4) atomicAdd(&bins[threadIdx.x], local[threadIdx.x] + 0u);
}

TEST_CASE("simt: integer atomics in shared and global memory") {
  std::vector<unsigned> x(500);
  std::iota(x.begin(), x.end(), 0u);
  for_each_order([&](const Simt& gpu) {
    unsigned bins[4] = {};
    int largest = -1;
    launch(gpu, gf_test_histogram, 8, kBlock, 0, x.data(), 500, bins, &largest);
    for (const unsigned b : bins) CHECK(b == 1000);
    CHECK(largest == 499);
  });
  int value = 5;
  CHECK(atomicCAS(&value, 5, 9) == 5);
  CHECK(atomicCAS(&value, 5, 11) == 9);
  CHECK(atomicExch(&value, 3) == 9);
  CHECK(atomicMin(&value, 1) == 3);
  CHECK(value == 1);
}

// 16 bytes of shared memory at once.
__global__ void gf_test_load4(float* out) {
  GF_SHARED(float, s, 128);
  for (unsigned i = threadIdx.x; i < 128; i += 32) s[i] = static_cast<float>(i);
  __syncthreads();
  const float4 v = load4(&s[4 * threadIdx.x]);
  store4(out + 4 * threadIdx.x, make_float4(v.w, v.z, v.y, v.x));
}

TEST_CASE("simt: 16-byte accesses") {
  for_each_order([](const Simt& gpu) {
    alignas(16) float out[128];
    launch(gpu, gf_test_load4, 1, 32, 0, out);
    for (int i = 0; i < 128; ++i) CHECK(out[i] == static_cast<float>(i / 4 * 4 + 3 - i % 4));
  });
}

__global__ void gf_test_index(int* seen) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  atomicAdd(&seen[block * blockDim.x * blockDim.y * blockDim.z + thread], 1);
}

TEST_CASE("simt: every thread of a three-dimensional grid runs once") {
  for_each_order([](const Simt& gpu) {
    for (const bool independent : {false, true}) {
      std::vector<int> seen(3 * 2 * 2 * 5 * 3 * 2, 0);
      if (independent) {
        launch_independent(gpu, gf_test_index, {3, 2, 2}, {5, 3, 2}, seen.data());
      } else {
        launch(gpu, gf_test_index, {3, 2, 2}, {5, 3, 2}, 0, seen.data());
      }
      for (const int s : seen) CHECK(s == 1);
    }
  });
}

// ---- planted bugs

__global__ void gf_test_missing_barrier(float* out) {
  GF_SHARED(float, s, kBlock);
  s[threadIdx.x] = 1.0f;
  NEXT_LINE_IS_WRONG();
  out[threadIdx.x] = s[(threadIdx.x + 1) % kBlock];
}

// Between the last read of a round and the first write of the next one.
__global__ void gf_test_missing_second_barrier(float* out) {
  GF_SHARED(float, s, kBlock);
  for (int r = 0; r < 2; ++r) {
    s[threadIdx.x] = 1.0f;
    __syncthreads();
    NEXT_LINE_IS_WRONG();
    out[threadIdx.x] = s[(threadIdx.x + 40) % kBlock];
  }
}

__global__ void gf_test_two_writers() {
  GF_SHARED(int, s, 1);
  NEXT_LINE_IS_WRONG();
  s[0] = static_cast<int>(threadIdx.x);
}

// A shuffle is no barrier for memory.
__global__ void gf_test_shuffle_is_no_barrier(int* out) {
  GF_SHARED(int, s, 32);
  s[threadIdx.x] = 1;
  __shfl_sync(0xffffffffu, 1, 0);
  NEXT_LINE_IS_WRONG();
  out[threadIdx.x] = s[31 - threadIdx.x];
}

// __syncwarp is none between warps.
__global__ void gf_test_syncwarp_across_warps(int* out) {
  GF_SHARED(int, s, 64);
  s[threadIdx.x] = 0;
  __syncthreads();
  s[threadIdx.x] = 1;
  __syncwarp();
  NEXT_LINE_IS_WRONG();
  out[threadIdx.x] = s[63 - threadIdx.x];
}

// Atomic operations are no barrier either: the sum is not complete.
__global__ void gf_test_atomic_is_no_barrier(int* out) {
  GF_SHARED(int, s, 1);
  if (threadIdx.x == 0) s[0] = 0;
  __syncthreads();
  atomicAdd(&s[0], 1);
  NEXT_LINE_IS_WRONG();
  out[threadIdx.x] = s[0];
}

TEST_CASE("simt: missing barriers are races") {
  std::vector<float> f(kBlock);
  std::vector<int> i(kBlock);
  check_reported("in shared memory", [&](const Simt& gpu) { launch(gpu, gf_test_two_writers, 1, kBlock, 0); });
  check_reported("race in shared memory",
                 [&](const Simt& gpu) { launch(gpu, gf_test_syncwarp_across_warps, 1, 64, 0, i.data()); });
  check_reported("race in shared memory",
                 [&](const Simt& gpu) { launch(gpu, gf_test_shuffle_is_no_barrier, 1, 32, 0, i.data()); });
  check_reported("race in shared memory",
                 [&](const Simt& gpu) { launch(gpu, gf_test_atomic_is_no_barrier, 1, 64, 0, i.data()); });
  // Whichever of two accesses without a barrier runs second is the one that is reported; the other line is named too.
  check_reported("shared memory",
                 [&](const Simt& gpu) { launch(gpu, gf_test_missing_barrier, 1, kBlock, 0, f.data()); });
  check_reported("race in shared memory",
                 [&](const Simt& gpu) { launch(gpu, gf_test_missing_second_barrier, 1, kBlock, 0, f.data()); });
}

__global__ void gf_test_divergent_barrier() {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    NEXT_LINE_IS_WRONG();
    __syncthreads();
  }
}

__global__ void gf_test_divergent_on_one_line() {
  // clang-format off
  NEXT_LINE_IS_WRONG();
  if (threadIdx.x < 40) __syncthreads(); else __syncthreads();
  // clang-format on
}

__global__ void gf_test_absent_lane() {
  if (threadIdx.x == 3) {
    __syncthreads();
    return;
  }
  NEXT_LINE_IS_WRONG();
  __shfl_sync(0xffffffffu, 1, 0);
}

TEST_CASE("simt: divergent barriers and lanes that never come") {
  check_reported("divergent barrier", [](const Simt& gpu) { launch(gpu, gf_test_divergent_barrier, 1, kBlock, 0); });
  check_reported("divergent barrier",
                 [](const Simt& gpu) { launch(gpu, gf_test_divergent_on_one_line, 1, kBlock, 0); });
  check_reported("threads wait for each other", [](const Simt& gpu) { launch(gpu, gf_test_absent_lane, 1, 32, 0); });
}

__global__ void gf_test_overrun(int index) {
  GF_SHARED(float, s, kBlock);
  s[threadIdx.x] = 0.0f;
  __syncthreads();
  if (threadIdx.x == 5) {
    NEXT_LINE_IS_WRONG();
    s[index] = 1.0f;
  }
}

__global__ void gf_test_dynamic_overrun(float* out) {
  GF_DYN_SHARED(float, s);
  const auto second_half = s + 16;
  second_half[threadIdx.x] = 0.0f;
  NEXT_LINE_IS_WRONG();
  out[threadIdx.x] = second_half[16 + threadIdx.x];
}

__global__ void gf_test_unwritten(float* out) {
  GF_SHARED(float, s, kBlock);
  if (threadIdx.x != 9) s[threadIdx.x] = 1.0f;
  __syncthreads();
  NEXT_LINE_IS_WRONG();
  out[threadIdx.x] = s[threadIdx.x];
}

// What the block before wrote is not there any more.
__global__ void gf_test_left_over(float* out) {
  GF_SHARED(float, s, kBlock);
  if (blockIdx.x % 2 == 0) s[threadIdx.x] = 1.0f;
  NEXT_LINE_IS_WRONG();
  out[threadIdx.x] = s[threadIdx.x];
}

TEST_CASE("simt: overruns and unwritten reads of shared memory") {
  std::vector<float> out(kBlock);
  for (const int index : {-1, kBlock, 100000}) {
    check_reported("index outside shared memory",
                   [&](const Simt& gpu) { launch(gpu, gf_test_overrun, 1, kBlock, 0, index); });
  }
  check_reported("index outside shared memory",
                 [&](const Simt& gpu) { launch(gpu, gf_test_dynamic_overrun, 1, 16, 32 * sizeof(float), out.data()); });
  check_reported("never written", [&](const Simt& gpu) { launch(gpu, gf_test_unwritten, 1, kBlock, 0, out.data()); });
  check_reported("never written", [&](const Simt& gpu) { launch(gpu, gf_test_left_over, 4, kBlock, 0, out.data()); });
}

__global__ void gf_test_out_of_mask() {
  if (threadIdx.x >= 16) return;
  NEXT_LINE_IS_WRONG();
  __shfl_down_sync(0x0000ffffu, 1, 8);
}

__global__ void gf_test_ended_lane() {
  if (threadIdx.x == 20) return;
  NEXT_LINE_IS_WRONG();
  __shfl_sync(0xffffffffu, 1, 20);
}

__global__ void gf_test_not_in_mask() {
  NEXT_LINE_IS_WRONG();
  __ballot_sync(0x7fffffffu, 1);
}

TEST_CASE("simt: shuffles that read lanes which take no part") {
  check_reported("lane that takes no part", [](const Simt& gpu) { launch(gpu, gf_test_out_of_mask, 1, 32, 0); });
  check_reported("lane that takes no part", [](const Simt& gpu) { launch(gpu, gf_test_ended_lane, 1, 32, 0); });
  check_reported("mask without the calling lane", [](const Simt& gpu) { launch(gpu, gf_test_not_in_mask, 1, 32, 0); });
}

__global__ void gf_test_independent_barrier() {
  NEXT_LINE_IS_WRONG();
  __syncthreads();
}

__global__ void gf_test_misaligned(const float* x, float* out) {
  NEXT_LINE_IS_WRONG();
  store4(out, load4(x + 1));
}

__global__ void gf_test_too_much_shared() {
  NEXT_LINE_IS_WRONG();
  GF_SHARED(float, s, 13 * 1024);
  s[threadIdx.x] = 0.0f;
}

TEST_CASE("simt: launches and accesses CUDA would refuse") {
  check_reported("kernel of independent threads",
                 [](const Simt& gpu) { launch_independent(gpu, gf_test_independent_barrier, 2, 32); });
  alignas(16) float x[8] = {}, y[4];
  check_reported("misaligned", [&](const Simt& gpu) { launch_independent(gpu, gf_test_misaligned, 1, 1, x, y); });
  check_reported("too much shared memory", [](const Simt& gpu) { launch(gpu, gf_test_too_much_shared, 1, 32, 0); });
  const auto kernel = gf_test_two_writers;
  check_reported("wrong grid", [&](const Simt& gpu) {
    NEXT_LINE_IS_WRONG();
    launch(gpu, kernel, 0, 32, 0);
  });
  check_reported("wrong grid", [&](const Simt& gpu) {
    NEXT_LINE_IS_WRONG();
    launch(gpu, kernel, {1, 65536}, 32, 0);
  });
  check_reported("wrong block", [&](const Simt& gpu) {
    NEXT_LINE_IS_WRONG();
    launch(gpu, kernel, 1, {33, 32}, 0);
  });
  check_reported("too much shared memory", [&](const Simt& gpu) {
    NEXT_LINE_IS_WRONG();
    launch(gpu, kernel, 1, 1, 49153);
  });
}

// After an error the executor is as good as new.
TEST_CASE("simt: an error leaves nothing behind") {
  std::vector<float> out(kBlock);
  std::vector<int> x(200, 1), y(3);
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_AS(launch(harness::simt(), gf_test_unwritten, 5, kBlock, 0, out.data()), Error);
    CHECK_THROWS_AS(launch(harness::simt(), gf_test_divergent_barrier, 5, kBlock, 0), Error);
    launch(harness::simt(), gf_test_sum, 3, kBlock, 0, x.data(), 200, y.data());
    CHECK(y[0] + y[1] + y[2] == 200);
  }
}

}  // namespace
}  // namespace gf
