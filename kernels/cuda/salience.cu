// Channel salience on the GPU (contract: kernels/salience.h).
//
//   p[n,c] = argmax over (y,x) of F[n,y,x,c]        v[n,c,:] = the k x k values of F around p[n,c], zero outside
//   backward: dF[n,y,x,c] = dv[n,c,(y,x) - p + r] within k x k of p[n,c], else 0
//
// Memory traffic. Forward: F once, b * n*h*w*c bytes (b = 4 in float32, 2 in bf16), then n*c*k*k scattered reads (32
// bytes each, as neighbouring pixels are c apart) and as many written values. Backward: dF is written once, the rest is
// small beside it. Floor of both: b * n*h*w*c bytes over the memory's bandwidth. Window mode reads every value k*k
// times, all but the first from the caches.
//
// A warp lies along the channels, which are neighbours in memory, so its reads join; several pixels are looked at
// beside each other where there are few channels. Every thread walks down a strip of pixels, the strips of a block meet
// in shared memory, and the strips of several blocks in a second, small kernel, one warp a channel, which gathers the
// patch as well. Which candidate is better is decided by score and position alone, so no order of meeting changes the
// result.
#include "kernels/salience.h"

#include <algorithm>

#include "kernels/cuda/element.h"

namespace gf {
namespace {

constexpr int kThreads = 256;
constexpr int kLanes = 32;
constexpr int kMaxGridY = 65535;

template <class T>
struct Map {
  const T* data;
  std::int64_t pixel_stride;
  int h, w, c;

  __device__ float at(int n, int pixel, int ch) const {
    return to_float(data[(std::int64_t{n} * h * w + pixel) * pixel_stride + ch]);
  }
};

struct Candidate {
  float score;
  int pixel;  // -1: none yet
};

// NaN above everything, then the larger score; of equals the earlier pixel.
__device__ inline bool better(const Candidate& a, const Candidate& b) {
  if (a.pixel < 0 || b.pixel < 0) return a.pixel >= 0;
  const bool a_nan = a.score != a.score, b_nan = b.score != b.score;
  if (a_nan != b_nan) return a_nan;
  if (a.score > b.score) return true;
  return (a_nan || a.score == b.score) && a.pixel < b.pixel;
}

// The value at a pixel, or the sum of its window in the contract's order: rows from left to right, then the row sums.
template <class T>
__device__ float score_of(const Map<T>& f, const SalienceShape& p, int n, int pixel, int ch) {
  if (p.mode == SalienceMode::peak) {
    const float v = f.at(n, pixel, ch);
    return p.absolute ? fabsf(v) : v;
  }
  const int r = p.k / 2, y = pixel / f.w, x = pixel % f.w;
  const int y0 = max(0, y - r), y1 = min(f.h - 1, y + r), x0 = max(0, x - r), x1 = min(f.w - 1, x + r);
  float sum = 0;
  for (int yy = y0; yy <= y1; ++yy) {
    float row = 0;
    for (int xx = x0; xx <= x1; ++xx) {
      const float v = f.at(n, yy * f.w + xx, ch);
      row += p.absolute ? fabsf(v) : v;
    }
    sum += row;
  }
  return sum;
}

// The best of one range of pixels, for blockDim.x channels. Thread (x,y): channel x, pixels y, y + blockDim.y, ...
// candidates: [n][range][c].
template <class T>
__global__ void gf_salience_find_kernel(Map<T> f, SalienceShape p, int pixels_per_range, Candidate* candidates) {
  GF_SHARED(Candidate, best, kThreads);
  const int ch = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), n = static_cast<int>(blockIdx.z);
  const int first = static_cast<int>(blockIdx.y) * pixels_per_range;
  const int last = min(first + pixels_per_range, f.h * f.w);
  const int strip = static_cast<int>(threadIdx.y), strips = static_cast<int>(blockDim.y);
  Candidate mine{0, -1};
  if (ch < f.c) {
    for (int pixel = first + strip; pixel < last; pixel += strips) {
      const Candidate here{score_of(f, p, n, pixel, ch), pixel};
      if (better(here, mine)) mine = here;
    }
  }
  const int slot = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
  best[slot] = mine;
  for (int half = strips / 2; half > 0; half /= 2) {
    __syncthreads();
    if (strip >= half) continue;
    const Candidate other = best[slot + half * static_cast<int>(blockDim.x)];
    if (better(other, mine)) best[slot] = mine = other;
  }
  if (strip == 0 && ch < f.c) candidates[(std::int64_t{n} * gridDim.y + blockIdx.y) * f.c + ch] = mine;
}

// One warp a channel: the best of all ranges, then the patch around it.
template <class T>
__global__ void gf_salience_gather_kernel(Map<T> f, int k, const Candidate* candidates, int ranges, int* positions,
                                          float* patches, std::int64_t patch_stride) {
  const int ch = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y), n = static_cast<int>(blockIdx.y);
  const int lane = static_cast<int>(threadIdx.x);
  if (ch >= f.c) return;  // the whole warp
  Candidate best{0, -1};
  for (int i = lane; i < ranges; i += kLanes) {
    const Candidate other = candidates[(std::int64_t{n} * ranges + i) * f.c + ch];
    if (better(other, best)) best = other;
  }
  for (int step = kLanes / 2; step > 0; step /= 2) {
    const Candidate other{__shfl_xor_sync(0xffffffffu, best.score, step),
                          __shfl_xor_sync(0xffffffffu, best.pixel, step)};
    if (better(other, best)) best = other;
  }
  const std::int64_t vertex = std::int64_t{n} * f.c + ch;
  if (lane == 0) positions[vertex] = best.pixel;
  const int y0 = best.pixel / f.w - k / 2, x0 = best.pixel % f.w - k / 2;
  for (int i = lane; i < k * k; i += kLanes) {
    const int y = y0 + i / k, x = x0 + i % k;
    const bool inside = y >= 0 && y < f.h && x >= 0 && x < f.w;
    patches[vertex * patch_stride + i] = inside ? f.at(n, y * f.w + x, ch) : 0.0f;
  }
}

// Every element of df once: the patch's value where one was gathered, else zero. So nothing is cleared before and
// nothing is added up, and threads of a warp write neighbouring channels.
template <class T>
__global__ void gf_salience_scatter_kernel(T* df, std::int64_t pixel_stride, int h, int w, int c, int k,
                                           const int* positions, const float* patches, std::int64_t patch_stride,
                                           int pixels_per_range) {
  const int ch = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), n = static_cast<int>(blockIdx.z);
  if (ch >= c) return;
  const std::int64_t vertex = std::int64_t{n} * c + ch;
  const int position = positions[vertex], y0 = position / w - k / 2, x0 = position % w - k / 2;
  const int first = static_cast<int>(blockIdx.y) * pixels_per_range, last = min(first + pixels_per_range, h * w);
  for (int pixel = first + static_cast<int>(threadIdx.y); pixel < last; pixel += static_cast<int>(blockDim.y)) {
    const int y = pixel / w - y0, x = pixel % w - x0;
    const bool inside = y >= 0 && y < k && x >= 0 && x < k;
    df[(std::int64_t{n} * h * w + pixel) * pixel_stride + ch] =
        to_element<T>(inside ? patches[vertex * patch_stride + y * k + x] : 0.0f);
  }
}

// How a map is cut: blocks of some channels times some strips of pixels, over ranges of pixels. A thread gets at least
// 16 pixels where the map has as many; more ranges than kMaxRanges would only make the second kernel long.
struct Cut {
  std::int64_t lanes = 1, strips, pixels_per_range, ranges;

  Cut(std::int64_t c, std::int64_t pixels) {
    constexpr std::int64_t kPixelsPerThread = 16, kMaxRanges = 64;
    while (lanes < c && lanes < kLanes) lanes *= 2;
    strips = kThreads / lanes;
    ranges = std::min(blocks_for(pixels, strips * kPixelsPerThread), kMaxRanges);
    pixels_per_range = blocks_for(pixels, ranges);
    ranges = blocks_for(pixels, pixels_per_range);
  }
};

void check_images(const char* kernel, const ConstView& map) {
  if (map.n > kMaxGridY) fail(std::string(kernel) + ": too many images", describe("map", map), "at most 65535");
}

}  // namespace

void salience_forward(const Gpu& gpu, const SalienceShape& p, ConstView f, View positions, View patches) {
  check_salience("salience_forward", p, f, positions, patches);
  check_images("salience_forward", f);
  const Cut cut(f.c, f.h * f.w);
  Candidate* candidates = take_workspace<Candidate>(gpu, "salience_forward", f.n * cut.ranges * f.c);
  with_element(f.dtype, [&](auto element) {
    using T = decltype(element);
    const Map<T> map{data_as<T>(f), f.pixel_stride, static_cast<int>(f.h), static_cast<int>(f.w),
                     static_cast<int>(f.c)};
    launch(gpu, gf_salience_find_kernel<T>, {blocks_for(f.c, cut.lanes), cut.ranges, f.n}, {cut.lanes, cut.strips}, 0,
           map, p, static_cast<int>(cut.pixels_per_range), candidates);
    constexpr int kWarps = 8;
    launch(gpu, gf_salience_gather_kernel<T>, {blocks_for(f.c, kWarps), f.n}, {kLanes, kWarps}, 0, map, p.k, candidates,
           static_cast<int>(cut.ranges), data_as<int>(positions), data_as<float>(patches), patches.pixel_stride);
  });
}

void salience_backward(const Gpu& gpu, const SalienceShape& p, ConstView positions, ConstView dpatches, View df) {
  check_salience("salience_backward", p, df, positions, dpatches);
  check_images("salience_backward", df);
  const Cut cut(df.c, df.h * df.w);
  with_element(df.dtype, [&](auto element) {
    using T = decltype(element);
    launch_independent(gpu, gf_salience_scatter_kernel<T>, {blocks_for(df.c, cut.lanes), cut.ranges, df.n},
                       {cut.lanes, cut.strips}, data_as<T>(df), df.pixel_stride, static_cast<int>(df.h),
                       static_cast<int>(df.w), static_cast<int>(df.c), p.k, data_as<int>(positions),
                       data_as<float>(dpatches), dpatches.pixel_stride, static_cast<int>(cut.pixels_per_range));
  });
}

}  // namespace gf
