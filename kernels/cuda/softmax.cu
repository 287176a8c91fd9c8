// Softmax over channels on the GPU (contract: kernels/softmax.h).
//
//   y[c] = exp(x[c] - max x) / sum_k exp(x[k] - max x)        log y[c] = x[c] - max x - log sum_k exp(x[k] - max x)
//   dx[c] = y[c] * (dy[c] - sum_k y[k] dy[k])                 label = first c with the largest x[c]
//
// Memory traffic, b bytes an element (4 in float32, 2 in bf16): softmax and log_softmax read x and write y, 2 * b an
// element; the backward reads two and writes one, 3 * b; argmax reads x and writes one label a pixel, b + 4 / C. Floor:
// those bytes over the memory's bandwidth; some ten instructions an element stay below it.
//
// Up to kMaxRowChannels a pixel lies in the registers of a group of lanes (cuda/pixel_row.h): a thread alone where
// there are two to four channels, a warp where there are hundreds; maxima and sums take a few shuffles. Beyond that a
// block takes a pixel and goes over its channels several times, all but the first time in the caches. Argmax needs its
// channels only once, so one kernel without a row in registers serves every number of them.
#include "kernels/softmax.h"

#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/pixel_row.h"
#include "kernels/softmax_checks.h"

namespace gf {
namespace {

template <class R, bool kLog, class T = typename R::Element>
__global__ void gf_softmax_kernel(PixelCut cut, Rows<const T> x, Rows<T> y) {
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn);
    R row;
    row.load(cut, x.at(min(pixel, cut.pixels - 1)));
    if constexpr (kLog) {
      // The maximum is taken off first: next to it the logarithm of the sum, at most log c, would lose its last bits.
      const float top = row.largest(cut);
      float sum = 0.0f;
      row.each(cut, [&](float& v, int) { sum += expf(v -= top); });
      const float log_sum = logf(cut.sum(sum));
      row.each(cut, [&](float& v, int) { v -= log_sum; });
    } else {
      row.softmax(cut);
    }
    if (pixel < cut.pixels) row.store(cut, y.at(pixel));
  }
}

template <class R, class T = typename R::Element>
__global__ void gf_softmax_backward_kernel(PixelCut cut, Rows<const T> y, Rows<const T> dy, Rows<T> dx) {
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    R p, g;
    p.load(cut, y.at(from));
    g.load(cut, dy.at(from));
    float dot = 0.0f;
    p.each(
        cut, [&](float v, float d, int) { dot += v * d; }, g);
    dot = cut.sum(dot);
    p.each(
        cut, [&](float& v, float d, int) { v *= d - dot; }, g);
    if (pixel < cut.pixels) p.store(cut, dx.at(pixel));
  }
}

// A block a pixel.
template <class T, int kWidth, bool kLog>
__global__ void gf_softmax_wide_kernel(Rows<const T> x, int c, Rows<T> y) {
  GF_SHARED(float, scratch, kRowWarps);
  const T* from = x.at(blockIdx.x);
  T* to = y.at(blockIdx.x);
  float top = -INFINITY, sum = 0.0f;
  walk_channels<kWidth>(from, c, [&](const float(&v)[kWidth], int) {
    for (const float e : v) top = e > top ? e : top;
  });
  top = block_reduce(top, scratch, [](float a, float b) { return b > a ? b : a; });
  walk_channels<kWidth>(from, c, [&](const float(&v)[kWidth], int) {
    for (const float e : v) sum += expf(e - top);
  });
  sum = block_sum(sum, scratch);
  const float log_sum = logf(sum), inverse = 1.0f / sum;
  walk_channels<kWidth>(from, c, [&](float(&v)[kWidth], int first) {
    for (float& e : v) e = kLog ? e - top - log_sum : expf(e - top) * inverse;
    store_elements<kWidth>(to + first, v);
  });
}

template <class T, int kWidth>
__global__ void gf_softmax_backward_wide_kernel(Rows<const T> y, Rows<const T> dy, int c, Rows<T> dx) {
  GF_SHARED(float, scratch, kRowWarps);
  const T *p = y.at(blockIdx.x), *g = dy.at(blockIdx.x);
  T* to = dx.at(blockIdx.x);
  float dot = 0.0f;
  walk_channels<kWidth>(p, c, [&](const float(&v)[kWidth], int first) {
    float d[kWidth];
    load_elements<kWidth>(g + first, d);
    for (int i = 0; i < kWidth; ++i) dot += v[i] * d[i];
  });
  dot = block_sum(dot, scratch);
  walk_channels<kWidth>(p, c, [&](float(&v)[kWidth], int first) {
    float d[kWidth];
    load_elements<kWidth>(g + first, d);
    for (int i = 0; i < kWidth; ++i) v[i] *= d[i] - dot;
    store_elements<kWidth>(to + first, v);
  });
}

// NaN above everything, then the larger value; of equals the earlier channel.
__device__ inline bool better(float a, int a_channel, float b, int b_channel) {
  const bool a_nan = a != a, b_nan = b != b;
  if (a_nan != b_nan) return a_nan;
  if (a > b) return true;
  return (a_nan || a == b) && a_channel < b_channel;
}

template <class T>
__global__ void gf_argmax_kernel(PixelCut cut, Rows<const T> x, Rows<std::int32_t> label) {
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn);
    const T* from = x.at(min(pixel, cut.pixels - 1));
    // A lane without a channel brings the first one.
    int best = 0;
    float value = to_float(from[0]);
    for (int ch = static_cast<int>(cut.lane()); ch < cut.c; ch += 1 << cut.shift) {
      const float v = to_float(from[ch]);
      if (!better(v, ch, value, best)) continue;
      value = v;
      best = ch;
    }
    for (int step = 1 << cut.shift >> 1; step > 0; step /= 2) {
      const float v = __shfl_xor_sync(0xffffffffu, value, step);
      const int ch = __shfl_xor_sync(0xffffffffu, best, step);
      if (!better(v, ch, value, best)) continue;
      value = v;
      best = ch;
    }
    if (cut.lane() == 0 && pixel < cut.pixels) *label.at(pixel) = best;
  }
}

template <bool kLog>
void softmax_rows(const Gpu& gpu, const char* kernel, const ConstView& x, const View& y) {
  require_float(kernel, "x", x);
  require_softmax(kernel, "x", x, "y", y);
  require_countable_pixels(kernel, "x", x);
  if (x.count() == 0) return;
  const bool in_packs = takes_packs(x) && takes_packs(y);
  if (x.c > kMaxRowChannels) {
    return with_wide_row(x, in_packs, [&](auto element, auto width) {
      using T = decltype(element);
      launch(gpu, gf_softmax_wide_kernel<T, width(), kLog>, x.pixels(), kRowThreads, 0, rows_of<const T>(x),
             static_cast<int>(x.c), rows_of<T>(y));
    });
  }
  with_row(x, in_packs, [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    launch(gpu, gf_softmax_kernel<R, kLog>, cut.blocks(), kRowThreads, 0, cut, rows_of<const T>(x), rows_of<T>(y));
  });
}

}  // namespace

void softmax(const Gpu& gpu, ConstView x, View y) { softmax_rows<false>(gpu, "softmax", x, y); }

void log_softmax(const Gpu& gpu, ConstView x, View y) { softmax_rows<true>(gpu, "log_softmax", x, y); }

void softmax_backward(const Gpu& gpu, ConstView y, ConstView dy, View dx) {
  const char* kernel = "softmax_backward";
  require_float(kernel, "y", y);
  require_softmax_backward(kernel, y, dy, dx);
  require_countable_pixels(kernel, "y", y);
  if (y.count() == 0) return;
  const bool in_packs = takes_packs(y) && takes_packs(dy) && takes_packs(dx);
  if (y.c > kMaxRowChannels) {
    return with_wide_row(y, in_packs, [&](auto element, auto width) {
      using T = decltype(element);
      launch(gpu, gf_softmax_backward_wide_kernel<T, width()>, y.pixels(), kRowThreads, 0, rows_of<const T>(y),
             rows_of<const T>(dy), static_cast<int>(y.c), rows_of<T>(dx));
    });
  }
  with_row(y, in_packs, [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    launch(gpu, gf_softmax_backward_kernel<R>, cut.blocks(), kRowThreads, 0, cut, rows_of<const T>(y),
           rows_of<const T>(dy), rows_of<T>(dx));
  });
}

void argmax_channels(const Gpu& gpu, ConstView x, View label) {
  const char* kernel = "argmax_channels";
  require_float(kernel, "x", x);
  require_argmax(kernel, x, label);
  require_countable_pixels(kernel, "x", x);
  if (x.count() == 0) return;
  with_element(x.dtype, [&](auto element) {
    using T = decltype(element);
    const PixelCut cut(x, 1);
    launch(gpu, gf_argmax_kernel<T>, cut.blocks(), kRowThreads, 0, cut, rows_of<const T>(x),
           rows_of<std::int32_t>(label));
  });
}

}  // namespace gf
