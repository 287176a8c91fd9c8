// Pooling and max unpooling on the GPU (contract: kernels/pooling.h).
//
//   max: y[o] = x[index[o]], the largest of o's k x k window    backward: dx[i] = sum of dy[o] over the o with index[o]
//   = i unpooling: y[index[o]] = x[o], elsewhere zero               backward: dx[o] = dy[index[o]] adaptive average:
//   y[o] = mean of x over o's cell            backward: dx[i] = sum of dy[o] / area over cells on i
//
// Memory traffic, b bytes an element (4 in float32, 2 in bf16): the larger map once, b bytes an element, the smaller
// one b bytes and its index 4. Floor: those bytes over the memory's bandwidth; 2 x 2 windows in float32: 6 bytes per
// element of the larger map. Where windows or cells overlap, an element is read again from the caches.
//
// A thread takes a pack of channels of one pixel. Nothing is scattered: where windows lie side by side, the window's
// thread writes all of its pixels; where they overlap, a pixel asks all windows over it. So every pixel is written
// once, nothing is cleared before, and sums have a fixed order. Unpooling's backward reads the whole window and keeps
// what the index names: a read by index would fetch as many bytes, in smaller pieces. Averages are sums over rectangles
// (rectangle_sum.h); down to a few pixels, many blocks share a cell.
#include "kernels/cuda/pool_index.h"
#include "kernels/cuda/rectangle_sum.h"
#include "kernels/pooling_parts.h"

namespace gf {
namespace {

// kKernel is the window's size, so that its rows are loaded at once; 0 where it is not known before.
template <class T, int kWidth, int kKernel>
__global__ void gf_max_pool_kernel(PoolShape p, MapItems items, Pixels<const T> x, Pixels<T> y,
                                   Pixels<Position> index) {
  MapItem at;
  if (!items.take(at)) return;
  const int kernel = kKernel > 0 ? kKernel : p.kernel;
  const int h0 = at.h * p.stride - p.pad, w0 = at.w * p.stride - p.pad;
  const auto is_inside = [&](int h, int w) { return h >= 0 && h < x.h && w >= 0 && w < x.w; };
  float best[kWidth] = {};
  Position place[kWidth];
  for (int i = 0; i < kWidth; ++i) place[i] = -1;
  constexpr int kAtOnce = kKernel > 0 ? kKernel : 1;
  for (int kh = 0; kh < kernel; ++kh) {
    for (int kw = 0; kw < kernel; kw += kAtOnce) {
      const int h = h0 + kh;
      float v[kAtOnce][kWidth] = {};
      for (int j = 0; j < kAtOnce; ++j) {
        if (is_inside(h, w0 + kw + j)) load_elements<kWidth>(x.at(at.n, h, w0 + kw + j, at.c), v[j]);
      }
      for (int j = 0; j < kAtOnce; ++j) {
        const int w = w0 + kw + j;
        if (!is_inside(h, w)) continue;
        for (int i = 0; i < kWidth; ++i) {
          // A NaN beats every number but not an earlier NaN.
          const bool wins = place[i] < 0 || (!(v[j][i] <= best[i]) && best[i] == best[i]);
          best[i] = wins ? v[j][i] : best[i];
          place[i] = wins ? h * x.w + w : place[i];
        }
      }
    }
  }
  store_elements<kWidth>(y.at(at.n, at.h, at.w, at.c), best);
  store_indices<kWidth>(index.at(at.n, at.h, at.w, at.c), place);
}

// Windows that overlap, or leave gaps: items are the pixels of dx.
template <class T, int kWidth>
__global__ void gf_max_pool_backward_kernel(PoolShape p, Divisor stride, MapItems items, Pixels<const T> dy,
                                            Pixels<const Position> index, Pixels<T> dx) {
  MapItem at;
  if (!items.take(at)) return;
  const auto first = [&](int i) {
    return static_cast<int>(stride.quotient(static_cast<unsigned>(max(i + p.pad - p.kernel + p.stride, 0))));
  };
  const auto last = [&](int i, int count) {
    return min(static_cast<int>(stride.quotient(static_cast<unsigned>(i + p.pad))), count - 1);
  };
  const int h1 = last(at.h, dy.h), w0 = first(at.w), w1 = last(at.w, dy.w), here = at.h * dx.w + at.w;
  float sum[kWidth] = {};
  for (int h = first(at.h); h <= h1; ++h) {
    for (int w = w0; w <= w1; ++w) {
      float g[kWidth];
      Position chosen[kWidth];
      load_elements<kWidth>(dy.at(at.n, h, w, at.c), g);
      load_indices<kWidth>(index.at(at.n, h, w, at.c), chosen);
      for (int i = 0; i < kWidth; ++i) sum[i] += chosen[i] == here ? g[i] : 0.0f;
    }
  }
  store_elements<kWidth>(dx.at(at.n, at.h, at.w, at.c), sum);
}

// Windows side by side: items are the windows and what is left of the map beyond the last of them.
template <class T, int kWidth, int kKernel>
__global__ void gf_max_unpool_kernel(int kernel_size, MapItems items, Pixels<const T> x, Pixels<const Position> index,
                                     Pixels<T> y) {
  MapItem at;
  if (!items.take(at)) return;
  const int kernel = kKernel > 0 ? kKernel : kernel_size;
  float v[kWidth] = {};
  Position chosen[kWidth];
  for (int i = 0; i < kWidth; ++i) chosen[i] = -1;
  if (at.h < x.h && at.w < x.w) {
    load_elements<kWidth>(x.at(at.n, at.h, at.w, at.c), v);
    load_indices<kWidth>(index.at(at.n, at.h, at.w, at.c), chosen);
  }
  for (int kh = 0; kh < kernel; ++kh) {
    for (int kw = 0; kw < kernel; ++kw) {
      const int h = at.h * kernel + kh, w = at.w * kernel + kw;
      if (h >= y.h || w >= y.w) continue;
      float out[kWidth];
      for (int i = 0; i < kWidth; ++i) out[i] = chosen[i] == h * y.w + w ? v[i] : 0.0f;
      store_elements<kWidth>(y.at(at.n, h, w, at.c), out);
    }
  }
}

template <class T, int kWidth, int kKernel>
__global__ void gf_max_unpool_backward_kernel(int kernel_size, MapItems items, Pixels<const T> dy,
                                              Pixels<const Position> index, Pixels<T> dx) {
  MapItem at;
  if (!items.take(at)) return;
  const int kernel = kKernel > 0 ? kKernel : kernel_size;
  Position chosen[kWidth];
  load_indices<kWidth>(index.at(at.n, at.h, at.w, at.c), chosen);
  float out[kWidth] = {};
  for (int kh = 0; kh < kernel; ++kh) {
    for (int kw = 0; kw < kernel; ++kw) {
      const int h = at.h * kernel + kh, w = at.w * kernel + kw;
      float g[kWidth];
      load_elements<kWidth>(dy.at(at.n, h, w, at.c), g);
      for (int i = 0; i < kWidth; ++i) out[i] = chosen[i] == h * dy.w + w ? g[i] : out[i];
    }
  }
  store_elements<kWidth>(dx.at(at.n, at.h, at.w, at.c), out);
}

// Calls body with the window's size as an integral constant, 0 for a rare one.
template <class Body>
void with_kernel_size(int kernel, const Body& body) {
  if (kernel == 2) return body(std::integral_constant<int, 2>{});
  if (kernel == 3) return body(std::integral_constant<int, 3>{});
  body(std::integral_constant<int, 0>{});
}

// map[index] = pooled, elsewhere zero, for windows side by side
void spread(const Gpu& gpu, const char* name, const PoolShape& p, const ConstView& pooled, const ConstView& index,
            const View& map) {
  if (map.count() == 0) return;
  with_items(map.dtype, in_packs(map, pooled, index), [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = width;
    with_kernel_size(p.kernel, [&](auto kernel) {
      const MapItems items(name, {map.n, blocks_for(map.h, p.kernel), blocks_for(map.w, p.kernel), map.c}, kWidth);
      launch_independent(gpu, gf_max_unpool_kernel<T, kWidth, kernel>, items.blocks(), kItemThreads, p.kernel, items,
                         pixels_of<const T>(pooled), pixels_of<const Position>(index), pixels_of<T>(map));
    });
  });
}

// Average pooling is a weighted sum over rectangles: the mean's weights are 1 / rows and 1 / columns of the cell.
struct CellMean {
  struct Span {
    int first, last;
    float share;
    __device__ float weight(int) const { return share; }
  };

  PoolCells cells;
  int longest;

  CellMean(std::int64_t in, std::int64_t out) : cells(in, out), longest(static_cast<int>(in / out) + 2) {}
  __device__ Span span(int i) const {
    const int first = cells.begin(i), last = cells.end(i);
    return {first, last, 1.0f / static_cast<float>(last - first)};
  }
};

struct CellMeanAdjoint {
  struct Span {
    int first, last;
    PoolCells cells;
    __device__ float weight(int cell) const { return 1.0f / static_cast<float>(cells.end(cell) - cells.begin(cell)); }
  };

  PoolCells cells, covering;
  int longest;

  CellMeanAdjoint(std::int64_t in, std::int64_t out)
      : cells(in, out), covering(out, in), longest(static_cast<int>(out / in) + 2) {}
  __device__ Span span(int i) const { return {covering.begin(i), covering.end(i), cells}; }
};

}  // namespace

void max_pool_forward(const Gpu& gpu, const PoolShape& p, ConstView x, View y, View index) {
  require_float("max_pool_forward", "x", x);
  check_max_pool("max_pool_forward", x.dtype, p, "x", x, "y", y, index);
  if (y.count() == 0) return;
  with_items(x.dtype, in_packs(x, y, index), [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = width;
    with_kernel_size(p.kernel, [&](auto kernel) {
      const MapItems items("max_pool_forward", y.shape(), kWidth);
      launch_independent(gpu, gf_max_pool_kernel<T, kWidth, kernel>, items.blocks(), kItemThreads, p, items,
                         pixels_of<const T>(x), pixels_of<T>(y), pixels_of<Position>(index));
    });
  });
}

void max_pool_backward(const Gpu& gpu, const PoolShape& p, ConstView dy, ConstView index, View dx) {
  require_float("max_pool_backward", "dy", dy);
  check_max_pool("max_pool_backward", dy.dtype, p, "dx", dx, "dy", dy, index);
  if (windows_are_apart(p)) return spread(gpu, "max_pool_backward", p, dy, index, dx);
  if (dx.count() == 0) return;
  with_items(dx.dtype, in_packs(dx, dy, index), [&](auto element, auto width) {
    using T = decltype(element);
    const MapItems items("max_pool_backward", dx.shape(), width);
    launch_independent(gpu, gf_max_pool_backward_kernel<T, width>, items.blocks(), kItemThreads, p, Divisor(p.stride),
                       items, pixels_of<const T>(dy), pixels_of<const Position>(index), pixels_of<T>(dx));
  });
}

void max_unpool_forward(const Gpu& gpu, const PoolShape& p, ConstView x, ConstView index, View y) {
  require_float("max_unpool_forward", "x", x);
  check_max_unpool("max_unpool_forward", x.dtype, p, "y", y, "x", x, index);
  spread(gpu, "max_unpool_forward", p, x, index, y);
}

void max_unpool_backward(const Gpu& gpu, const PoolShape& p, ConstView dy, ConstView index, View dx) {
  require_float("max_unpool_backward", "dy", dy);
  check_max_unpool("max_unpool_backward", dy.dtype, p, "dy", dy, "dx", dx, index);
  if (dx.count() == 0) return;
  with_items(dx.dtype, in_packs(dy, dx, index), [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = width;
    with_kernel_size(p.kernel, [&](auto kernel) {
      const MapItems items("max_unpool_backward", dx.shape(), kWidth);
      launch_independent(gpu, gf_max_unpool_backward_kernel<T, kWidth, kernel>, items.blocks(), kItemThreads, p.kernel,
                         items, pixels_of<const T>(dy), pixels_of<const Position>(index), pixels_of<T>(dx));
    });
  });
}

void adaptive_avg_pool_forward(const Gpu& gpu, ConstView x, View y) {
  require_float("adaptive_avg_pool_forward", "x", x);
  check_adaptive_avg_pool("adaptive_avg_pool_forward", x.dtype, "x", x, "y", y);
  if (y.count() == 0) return;
  require_not_empty("adaptive_avg_pool_forward", "x", x);
  const Rectangles<CellMean> cells{{x.h, y.h}, {x.w, y.w}};
  sum_rectangles(gpu, "adaptive_avg_pool_forward", cells, x, y);
}

void adaptive_avg_pool_backward(const Gpu& gpu, ConstView dy, View dx) {
  require_float("adaptive_avg_pool_backward", "dy", dy);
  check_adaptive_avg_pool("adaptive_avg_pool_backward", dy.dtype, "dx", dx, "dy", dy);
  if (dx.count() == 0) return;
  require_not_empty("adaptive_avg_pool_backward", "dy", dy);
  const Rectangles<CellMeanAdjoint> cells{{dx.h, dy.h}, {dx.w, dy.w}};
  sum_rectangles(gpu, "adaptive_avg_pool_backward", cells, dy, dx);
}

}  // namespace gf
