#include "kernels/pooling.h"

#include "kernels/cpu/scratch.h"
#include "kernels/parallel.h"
#include "kernels/pooling_parts.h"

namespace gf {
namespace {

constexpr std::int64_t kGrain = 32768;  // elements per parallel piece

std::int64_t pixels_per_piece(std::int64_t work_per_pixel) {
  return std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(work_per_pixel, 1));
}

// Pixel p of a view as (n,h,w), stepping through a range without dividing at every pixel.
struct PixelWalk {
  std::int64_t n, h, w, height, width;

  PixelWalk(std::int64_t p, std::int64_t height_, std::int64_t width_)
      : n(p / (height_ * width_)), h(p / width_ % height_), w(p % width_), height(height_), width(width_) {}
  void next() {
    if (++w < width) return;
    w = 0;
    if (++h < height) return;
    h = 0;
    ++n;
  }
};

// 1 where x wins against the best so far: a NaN beats every number but not an earlier NaN. An int, because GCC 12
// vectorises selections by products of ints, but not by products of bools.
inline std::int32_t beats(float x, float best) { return (x <= best ? 0 : 1) & (best == best ? 1 : 0); }

void take_larger(const float* x, std::int32_t place, std::int64_t c, float* best, std::int32_t* index) {
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    const std::int32_t larger = beats(x[i], best[i]);
    best[i] = larger ? x[i] : best[i];
    index[i] = larger ? place : index[i];
  }
}

// The 2 x 2 window in one sweep: the usual case. The winners of the two rows meet; on a tie the upper row's stays.
void pool_2x2(const float* x, std::int64_t pixel, std::int64_t row, std::int32_t place, std::int32_t width,
              std::int64_t c, float* y, std::int32_t* index) {
  const float *right = x + pixel, *below = x + row, *corner = below + pixel;
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    const float v00 = x[i], v01 = right[i], v10 = below[i], v11 = corner[i];
    const std::int32_t r0 = beats(v01, v00), r1 = beats(v11, v10);
    const float best0 = r0 ? v01 : v00, best1 = r1 ? v11 : v10;
    const std::int32_t r = beats(best1, best0);
    y[i] = r ? best1 : best0;
    index[i] = place + (r ? width + r1 : r0);
  }
}

// Gathered, not scattered: a pixel asks the windows over it whether they chose it. Every pixel is written once, by one
// thread, and the loop over channels vectorises.
void gather_chosen(const Cpu& cpu, const char* kernel, const PoolShape& p, const ConstView& dy, const ConstView& index,
                   const View& dx) {
  if (dx.count() == 0) return;
  // The windows [first, last] over every position of an axis, worked out once instead of at every pixel.
  struct Windows {
    std::int32_t *first, *last;

    Windows(const PoolShape& s, std::int64_t in, std::int64_t out, cpu::Scratch& scratch)
        : first(scratch.take<std::int32_t>(in)), last(scratch.take<std::int32_t>(in)) {
      for (std::int64_t i = 0; i < in; ++i) {
        first[i] = static_cast<std::int32_t>(std::max<std::int64_t>(i + s.pad - s.kernel + s.stride, 0) / s.stride);
        last[i] = static_cast<std::int32_t>(std::min((i + s.pad) / s.stride, out - 1));
      }
    }
  };
  cpu::Scratch scratch(cpu, kernel,
                       2 * (cpu::Scratch::bytes<std::int32_t>(dx.h) + cpu::Scratch::bytes<std::int32_t>(dx.w)));
  const Windows rows(p, dx.h, dy.h, scratch), columns(p, dx.w, dy.w, scratch);
  const float* pdy = data_as<float>(dy);
  const std::int32_t* pi = data_as<std::int32_t>(index);
  float* pdx = data_as<float>(dx);
  parallel_for(dx.pixels(), pixels_per_piece(2 * dx.c), [&](std::int64_t begin, std::int64_t end) {
    PixelWalk at(begin, dx.h, dx.w);
    const std::int64_t c = dx.c;
    for (std::int64_t q = begin; q < end; ++q, at.next()) {
      float* to = pdx + q * dx.pixel_stride;
      const std::int32_t here = static_cast<std::int32_t>(at.h * dx.w + at.w);
      const std::int64_t h0 = rows.first[at.h], h1 = rows.last[at.h], w0 = columns.first[at.w], w1 = columns.last[at.w];
      if (h0 > h1 || w0 > w1) {
        std::fill_n(to, c, 0.0f);
        continue;
      }
      for (std::int64_t h = h0; h <= h1; ++h)
        for (std::int64_t w = w0; w <= w1; ++w) {
          const std::int64_t window = (at.n * dy.h + h) * dy.w + w;
          const float* g = pdy + window * dy.pixel_stride;
          const std::int32_t* chosen = pi + window * index.pixel_stride;
          if (h == h0 && w == w0) {
#pragma omp simd
            for (std::int64_t i = 0; i < c; ++i) to[i] = chosen[i] == here ? g[i] : 0.0f;
          } else {
#pragma omp simd
            for (std::int64_t i = 0; i < c; ++i) to[i] += chosen[i] == here ? g[i] : 0.0f;
          }
        }
    }
  });
}

}  // namespace

Shape max_pool_output(const Shape& x, const PoolShape& p) {
  if (p.kernel < 1 || p.stride < 1 || p.pad < 0 || p.pad > p.kernel / 2)
    fail("max_pool: bad window", "x " + x.str(), "kernel and stride of at least 1, padding of at most half the kernel",
         "kernel " + std::to_string(p.kernel) + ", stride " + std::to_string(p.stride) + ", padding " +
             std::to_string(p.pad));
  const std::int64_t h = x.h + 2 * p.pad - p.kernel, w = x.w + 2 * p.pad - p.kernel;
  if (h < 0 || w < 0)
    fail("max_pool: the map is smaller than the window", "x " + x.str(),
         "at least " + std::to_string(p.kernel - 2 * p.pad), std::to_string(std::min(x.h, x.w)));
  return {x.n, h / p.stride + 1, w / p.stride + 1, x.c};
}

void max_pool_forward(const Cpu&, const PoolShape& p, ConstView x, View y, View index) {
  check_max_pool("max_pool_forward", DType::f32, p, "x", x, "y", y, index);
  if (y.count() == 0) return;

  const float* px = data_as<float>(x);
  float* py = data_as<float>(y);
  std::int32_t* pi = data_as<std::int32_t>(index);
  const std::int64_t sx = x.pixel_stride;
  parallel_for(y.pixels(), pixels_per_piece(y.c * p.kernel * p.kernel), [&](std::int64_t begin, std::int64_t end) {
    PixelWalk at(begin, y.h, y.w);
    for (std::int64_t o = begin; o < end; ++o, at.next()) {
      float* best = py + o * y.pixel_stride;
      std::int32_t* place = pi + o * index.pixel_stride;
      const std::int64_t h0 = std::max<std::int64_t>(at.h * p.stride - p.pad, 0);
      const std::int64_t w0 = std::max<std::int64_t>(at.w * p.stride - p.pad, 0);
      const std::int64_t h1 = std::min(at.h * p.stride - p.pad + p.kernel, x.h);
      const std::int64_t w1 = std::min(at.w * p.stride - p.pad + p.kernel, x.w);
      const float* image = px + at.n * x.h * x.w * sx;
      if (h1 - h0 == 2 && w1 - w0 == 2) {
        pool_2x2(image + (h0 * x.w + w0) * sx, sx, x.w * sx, static_cast<std::int32_t>(h0 * x.w + w0),
                 static_cast<std::int32_t>(x.w), x.c, best, place);
        continue;
      }
      std::copy_n(image + (h0 * x.w + w0) * sx, x.c, best);
      std::fill_n(place, x.c, static_cast<std::int32_t>(h0 * x.w + w0));
      for (std::int64_t h = h0; h < h1; ++h)
        for (std::int64_t w = h == h0 ? w0 + 1 : w0; w < w1; ++w)
          take_larger(image + (h * x.w + w) * sx, static_cast<std::int32_t>(h * x.w + w), x.c, best, place);
    }
  });
}

void max_pool_backward(const Cpu& cpu, const PoolShape& p, ConstView dy, ConstView index, View dx) {
  check_max_pool("max_pool_backward", DType::f32, p, "dx", dx, "dy", dy, index);
  gather_chosen(cpu, "max_pool_backward", p, dy, index, dx);
}

void max_unpool_forward(const Cpu& cpu, const PoolShape& p, ConstView x, ConstView index, View y) {
  check_max_unpool("max_unpool_forward", DType::f32, p, "y", y, "x", x, index);
  gather_chosen(cpu, "max_unpool_forward", p, x, index, y);
}

void max_unpool_backward(const Cpu&, const PoolShape& p, ConstView dy, ConstView index, View dx) {
  check_max_unpool("max_unpool_backward", DType::f32, p, "dy", dy, "dx", dx, index);
  if (dx.count() == 0) return;
  const float* pdy = data_as<float>(dy);
  const std::int32_t* pi = data_as<std::int32_t>(index);
  float* pdx = data_as<float>(dx);
  parallel_for(dx.pixels(), pixels_per_piece(dx.c * p.kernel * p.kernel), [&](std::int64_t begin, std::int64_t end) {
    PixelWalk at(begin, dx.h, dx.w);
    for (std::int64_t o = begin; o < end; ++o, at.next()) {
      float* to = pdx + o * dx.pixel_stride;
      const std::int32_t* chosen = pi + o * index.pixel_stride;
      std::fill_n(to, dx.c, 0.0f);
      for (std::int64_t h = at.h * p.kernel; h < (at.h + 1) * p.kernel; ++h)
        for (std::int64_t w = at.w * p.kernel; w < (at.w + 1) * p.kernel; ++w) {
          const std::int32_t here = static_cast<std::int32_t>(h * dy.w + w);
          const float* g = pdy + ((at.n * dy.h + h) * dy.w + w) * dy.pixel_stride;
#pragma omp simd
          for (std::int64_t i = 0; i < dx.c; ++i) to[i] = chosen[i] == here ? g[i] : to[i];
        }
    }
  });
}

void adaptive_avg_pool_forward(const Cpu&, ConstView x, View y) {
  check_adaptive_avg_pool("adaptive_avg_pool_forward", DType::f32, "x", x, "y", y);
  if (y.count() == 0) return;
  require_not_empty("adaptive_avg_pool_forward", "x", x);

  constexpr std::int64_t kBlock = 256;  // channels whose double sums lie on the stack
  const std::int64_t blocks = (x.c + kBlock - 1) / kBlock;
  const PoolCells rows{x.h, y.h}, columns{x.w, y.w};
  const float* px = data_as<float>(x);
  float* py = data_as<float>(y);
  const std::int64_t cell = (x.h + y.h - 1) / y.h * ((x.w + y.w - 1) / y.w);
  parallel_for(
      y.pixels() * blocks, pixels_per_piece(cell * std::min(x.c, kBlock)), [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t item = begin; item < end; ++item) {
          const std::int64_t o = item / blocks, first = item % blocks * kBlock, count = std::min(kBlock, x.c - first);
          const PixelWalk at(o, y.h, y.w);
          double sum[kBlock] = {};
          for (std::int64_t h = rows.begin(at.h); h < rows.end(at.h); ++h)
            for (std::int64_t w = columns.begin(at.w); w < columns.end(at.w); ++w) {
              const float* from = px + ((at.n * x.h + h) * x.w + w) * x.pixel_stride + first;
#pragma omp simd
              for (std::int64_t i = 0; i < count; ++i) sum[i] += static_cast<double>(from[i]);
            }
          const double area =
              static_cast<double>((rows.end(at.h) - rows.begin(at.h)) * (columns.end(at.w) - columns.begin(at.w)));
          float* to = py + o * y.pixel_stride + first;
          for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(sum[i] / area);
        }
      });
}

void adaptive_avg_pool_backward(const Cpu&, ConstView dy, View dx) {
  check_adaptive_avg_pool("adaptive_avg_pool_backward", DType::f32, "dx", dx, "dy", dy);
  if (dx.count() == 0) return;
  require_not_empty("adaptive_avg_pool_backward", "dy", dy);

  const PoolCells rows{dx.h, dy.h}, columns{dx.w, dy.w};
  const PoolCells over_row{dy.h, dx.h}, over_column{dy.w, dx.w};
  const float* pdy = data_as<float>(dy);
  float* pdx = data_as<float>(dx);
  parallel_for(dx.pixels(), pixels_per_piece(2 * dx.c), [&](std::int64_t begin, std::int64_t end) {
    PixelWalk at(begin, dx.h, dx.w);
    for (std::int64_t q = begin; q < end; ++q, at.next()) {
      float* to = pdx + q * dx.pixel_stride;
      std::fill_n(to, dx.c, 0.0f);
      for (std::int64_t h = over_row.begin(at.h); h < over_row.end(at.h); ++h)
        for (std::int64_t w = over_column.begin(at.w); w < over_column.end(at.w); ++w) {
          const float weight =
              1.0f / static_cast<float>((rows.end(h) - rows.begin(h)) * (columns.end(w) - columns.begin(w)));
          const float* g = pdy + ((at.n * dy.h + h) * dy.w + w) * dy.pixel_stride;
#pragma omp simd
          for (std::int64_t i = 0; i < dx.c; ++i) to[i] += weight * g[i];
        }
    }
  });
}

}  // namespace gf
