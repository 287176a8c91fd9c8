// Maxima over the cells of a grid on the GPU (contract: kernels/adaptive_max_pool.h).
//
//   y[o] = x[index[o]], the largest of o's cell            backward: dx[i] = sum of dy[o] over the o with index[o] = i
//
// Memory traffic, b bytes an element (4 in float32, 2 in bf16): the larger map once, b bytes an element, the smaller
// one b bytes and its index 4. Floor: those bytes over the memory's bandwidth. A thread takes a pack of channels of one
// cell and walks it, so a grid of few cells keeps few threads busy: callers that want one value a map go there in two
// steps. The gradient is gathered: a pixel asks the one to four cells over it.
#include "kernels/adaptive_max_pool.h"

#include "kernels/cuda/pool_index.h"
#include "kernels/pooling_parts.h"

namespace gf {
namespace {

template <class T, int kWidth>
__global__ void gf_adaptive_max_pool_kernel(PoolCells rows, PoolCells columns, MapItems items, Pixels<const T> x,
                                            Pixels<T> y, Pixels<Position> index) {
  MapItem at;
  if (!items.take(at)) return;
  const int h1 = rows.end(at.h), w0 = columns.begin(at.w), w1 = columns.end(at.w);
  float best[kWidth] = {};
  Position place[kWidth];
  for (int i = 0; i < kWidth; ++i) place[i] = -1;
  for (int h = rows.begin(at.h); h < h1; ++h) {
    for (int w = w0; w < w1; ++w) {
      float v[kWidth];
      load_elements<kWidth>(x.at(at.n, h, w, at.c), v);
      for (int i = 0; i < kWidth; ++i) {
        // A NaN beats every number but not an earlier NaN.
        const bool wins = place[i] < 0 || (!(v[i] <= best[i]) && best[i] == best[i]);
        best[i] = wins ? v[i] : best[i];
        place[i] = wins ? h * x.w + w : place[i];
      }
    }
  }
  store_elements<kWidth>(y.at(at.n, at.h, at.w, at.c), best);
  store_indices<kWidth>(index.at(at.n, at.h, at.w, at.c), place);
}

template <class T, int kWidth>
__global__ void gf_adaptive_max_pool_backward_kernel(PoolCells over_row, PoolCells over_column, MapItems items,
                                                     Pixels<const T> dy, Pixels<const Position> index, Pixels<T> dx) {
  MapItem at;
  if (!items.take(at)) return;
  const int h1 = over_row.end(at.h), w0 = over_column.begin(at.w), w1 = over_column.end(at.w);
  const int here = at.h * dx.w + at.w;
  float sum[kWidth] = {};
  for (int h = over_row.begin(at.h); h < h1; ++h) {
    for (int w = w0; w < w1; ++w) {
      float g[kWidth];
      Position chosen[kWidth];
      load_elements<kWidth>(dy.at(at.n, h, w, at.c), g);
      load_indices<kWidth>(index.at(at.n, h, w, at.c), chosen);
      for (int i = 0; i < kWidth; ++i) sum[i] += chosen[i] == here ? g[i] : 0.0f;
    }
  }
  store_elements<kWidth>(dx.at(at.n, at.h, at.w, at.c), sum);
}

}  // namespace

void adaptive_max_pool_forward(const Gpu& gpu, ConstView x, View y, View index) {
  require_float("adaptive_max_pool_forward", "x", x);
  check_adaptive_max_pool("adaptive_max_pool_forward", x.dtype, "x", x, "y", y, index);
  if (y.count() == 0) return;
  require_not_empty("adaptive_max_pool_forward", "x", x);
  with_items(x.dtype, in_packs(x, y, index), [&](auto element, auto width) {
    using T = decltype(element);
    const MapItems items("adaptive_max_pool_forward", y.shape(), width);
    launch_independent(gpu, gf_adaptive_max_pool_kernel<T, width>, items.blocks(), kItemThreads, PoolCells(x.h, y.h),
                       PoolCells(x.w, y.w), items, pixels_of<const T>(x), pixels_of<T>(y), pixels_of<Position>(index));
  });
}

void adaptive_max_pool_backward(const Gpu& gpu, ConstView dy, ConstView index, View dx) {
  require_float("adaptive_max_pool_backward", "dy", dy);
  check_adaptive_max_pool("adaptive_max_pool_backward", dy.dtype, "dx", dx, "dy", dy, index);
  if (dx.count() == 0) return;
  require_not_empty("adaptive_max_pool_backward", "dy", dy);
  with_items(dx.dtype, in_packs(dx, dy, index), [&](auto element, auto width) {
    using T = decltype(element);
    const MapItems items("adaptive_max_pool_backward", dx.shape(), width);
    launch_independent(gpu, gf_adaptive_max_pool_backward_kernel<T, width>, items.blocks(), kItemThreads,
                       PoolCells(dy.h, dx.h), PoolCells(dy.w, dx.w), items, pixels_of<const T>(dy),
                       pixels_of<const Position>(index), pixels_of<T>(dx));
  });
}

}  // namespace gf
