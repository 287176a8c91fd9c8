#include "kernels/adaptive_max_pool.h"

#include <algorithm>

#include "kernels/parallel.h"
#include "kernels/pooling_parts.h"

namespace gf {
namespace {

constexpr std::int64_t kGrain = 32768;  // elements per parallel piece

std::int64_t pixels_per_piece(std::int64_t work_per_pixel) {
  return std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(work_per_pixel, 1));
}

// A NaN beats every number but not an earlier NaN.
inline bool beats(float x, float best) { return !(x <= best) && best == best; }

}  // namespace

void adaptive_max_pool_forward(const Cpu&, ConstView x, View y, View index) {
  check_adaptive_max_pool("adaptive_max_pool_forward", DType::f32, "x", x, "y", y, index);
  if (y.count() == 0) return;
  require_not_empty("adaptive_max_pool_forward", "x", x);
  const PoolCells rows{x.h, y.h}, columns{x.w, y.w};
  const float* px = data_as<float>(x);
  float* py = data_as<float>(y);
  std::int32_t* pi = data_as<std::int32_t>(index);
  const std::int64_t cell = (x.h + y.h - 1) / y.h * ((x.w + y.w - 1) / y.w);
  parallel_for(y.pixels(), pixels_per_piece(cell * x.c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      const std::int64_t n = o / (y.h * y.w), oh = o / y.w % y.h, ow = o % y.w;
      float* best = py + o * y.pixel_stride;
      std::int32_t* place = pi + o * index.pixel_stride;
      const float* image = px + n * x.h * x.w * x.pixel_stride;
      const std::int64_t first = rows.begin(oh) * x.w + columns.begin(ow);
      std::copy_n(image + first * x.pixel_stride, x.c, best);
      std::fill_n(place, x.c, static_cast<std::int32_t>(first));
      for (std::int64_t h = rows.begin(oh); h < rows.end(oh); ++h)
        for (std::int64_t w = columns.begin(ow); w < columns.end(ow); ++w) {
          const float* from = image + (h * x.w + w) * x.pixel_stride;
          const auto here = static_cast<std::int32_t>(h * x.w + w);
          for (std::int64_t i = 0; i < x.c; ++i) {
            const bool wins = here != place[i] && beats(from[i], best[i]);
            best[i] = wins ? from[i] : best[i];
            place[i] = wins ? here : place[i];
          }
        }
    }
  });
}

// Gathered: a pixel asks the cells over it whether they chose it, so every pixel is written once.
void adaptive_max_pool_backward(const Cpu&, ConstView dy, ConstView index, View dx) {
  check_adaptive_max_pool("adaptive_max_pool_backward", DType::f32, "dx", dx, "dy", dy, index);
  if (dx.count() == 0) return;
  require_not_empty("adaptive_max_pool_backward", "dy", dy);
  const PoolCells over_row{dy.h, dx.h}, over_column{dy.w, dx.w};
  const float* pdy = data_as<float>(dy);
  const std::int32_t* pi = data_as<std::int32_t>(index);
  float* pdx = data_as<float>(dx);
  parallel_for(dx.pixels(), pixels_per_piece(2 * dx.c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t q = begin; q < end; ++q) {
      const std::int64_t n = q / (dx.h * dx.w), row = q / dx.w % dx.h, column = q % dx.w;
      const auto here = static_cast<std::int32_t>(row * dx.w + column);
      float* to = pdx + q * dx.pixel_stride;
      std::fill_n(to, dx.c, 0.0f);
      for (std::int64_t h = over_row.begin(row); h < over_row.end(row); ++h)
        for (std::int64_t w = over_column.begin(column); w < over_column.end(column); ++w) {
          const std::int64_t o = (n * dy.h + h) * dy.w + w;
          const float* g = pdy + o * dy.pixel_stride;
          const std::int32_t* chosen = pi + o * index.pixel_stride;
#pragma omp simd
          for (std::int64_t i = 0; i < dx.c; ++i) to[i] += chosen[i] == here ? g[i] : 0.0f;
        }
    }
  });
}

}  // namespace gf
