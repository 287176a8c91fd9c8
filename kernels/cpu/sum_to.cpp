// sum_to, the adjoint of broadcasting (elementwise.h).
//
// Every output pixel sums `positions` input pixels (the product of the reduced n, h and w), every position a row of
// channels that is kept or reduced too. Positions are cut into chunks whose size depends on the shapes only; a chunk's
// double partial sums are added up in order, so the result does not depend on the number of threads.
#include "kernels/check.h"
#include "kernels/cpu/scratch.h"
#include "kernels/elementwise.h"
#include "kernels/parallel.h"

namespace gf {
namespace {

constexpr std::int64_t kGrain = 32768;  // elements of x per chunk

// acc[ch] += sum over `count` rows, `stride` apart
void add_rows(const float* x, std::int64_t count, std::int64_t stride, std::int64_t c, double* acc) {
  std::int64_t p = 0;
  for (; p + 4 <= count; p += 4, x += 4 * stride) {
    const float *x1 = x + stride, *x2 = x1 + stride, *x3 = x2 + stride;
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i)
      acc[i] += (static_cast<double>(x[i]) + static_cast<double>(x1[i])) +
                (static_cast<double>(x2[i]) + static_cast<double>(x3[i]));
  }
  for (; p < count; ++p, x += stride) {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) acc[i] += static_cast<double>(x[i]);
  }
}

double sum_row(const float* x, std::int64_t c) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < c; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

// The reduced axes, seen from one output pixel: at most two after merging, in elements of x.
struct Reduced {
  std::int64_t outer = 1, outer_stride = 0, inner = 1, inner_stride = 0;

  std::int64_t positions() const { return outer * inner; }
};

Reduced reduced_axes(const ConstView& x, const ConstView& y) {
  const std::int64_t extent[3] = {y.n == x.n ? 1 : x.n, y.h == x.h ? 1 : x.h, y.w == x.w ? 1 : x.w};
  const std::int64_t stride[3] = {x.h * x.w * x.pixel_stride, x.w * x.pixel_stride, x.pixel_stride};
  Reduced r;
  for (int a = 2; a >= 0; --a) {
    if (extent[a] == 1) continue;
    if (r.inner == 1) {
      r.inner = extent[a];
      r.inner_stride = stride[a];
    } else if (r.outer == 1 && stride[a] == r.inner * r.inner_stride) {
      r.inner *= extent[a];
    } else {
      r.outer = extent[a];
      r.outer_stride = stride[a];
    }
  }
  return r;
}

// acc (y.c values) += the sum over positions [begin, end) of the output pixel whose first input is at x
void sum_positions(const float* x, const Reduced& r, std::int64_t begin, std::int64_t end, std::int64_t c, bool keep_c,
                   double* acc) {
  while (begin < end) {
    const std::int64_t within = begin % r.inner, count = std::min(end - begin, r.inner - within);
    const float* row = x + begin / r.inner * r.outer_stride + within * r.inner_stride;
    if (keep_c) {
      add_rows(row, count, r.inner_stride, c, acc);
    } else if (r.inner_stride == c) {
      *acc += sum_row(row, count * c);
    } else {
      for (std::int64_t p = 0; p < count; ++p) *acc += sum_row(row + p * r.inner_stride, c);
    }
    begin += count;
  }
}

}  // namespace

void sum_to(const Cpu& cpu, float alpha, ConstView x, View y, bool accumulate) {
  require_view("sum_to", "x", x);
  require_view("sum_to", "y", y);
  const bool fits =
      (y.n == x.n || y.n == 1) && (y.h == x.h || y.h == 1) && (y.w == x.w || y.w == 1) && (y.c == x.c || y.c == 1);
  if (!fits)
    fail("sum_to: cannot reduce", describe("x", x) + " to " + describe("y", y), "each extent of y 1 or that of x");
  if (y.count() == 0) return;

  const Reduced r = reduced_axes(x, y);
  const bool keep_c = y.c == x.c;
  if (!keep_c && r.positions() == 1) {  // (n,h,w,1): every pixel by itself
    const float* from = data_as<float>(x);
    float* to = data_as<float>(y);
    parallel_for(x.pixels(), std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(x.c, 1)),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t p = begin; p < end; ++p) {
                     const float sum =
                         static_cast<float>(static_cast<double>(alpha) * sum_row(from + p * x.pixel_stride, x.c));
                     to[p * y.pixel_stride] = accumulate ? to[p * y.pixel_stride] + sum : sum;
                   }
                 });
    return;
  }
  const std::int64_t outputs = y.pixels(), positions = r.positions();
  const std::int64_t per_chunk = std::max<std::int64_t>(1, kGrain / std::max<std::int64_t>(x.c, 1));
  const std::int64_t chunks = std::max<std::int64_t>(1, (positions + per_chunk - 1) / per_chunk);
  const std::int64_t outputs_per_piece = std::max<std::int64_t>(1, per_chunk / std::max<std::int64_t>(positions, 1));
  const std::int64_t pieces = (outputs + outputs_per_piece - 1) / outputs_per_piece;
  // One chunk an output: a piece needs one accumulator. Several: every chunk keeps its own until all are done.
  const std::int64_t accumulators = chunks == 1 ? pieces : outputs * chunks;
  cpu::Scratch scratch(cpu, "sum_to", cpu::Scratch::bytes<double>(accumulators * y.c));
  double* acc = scratch.take<double>(accumulators * y.c);

  const float* px = data_as<float>(x);
  float* py = data_as<float>(y);
  const auto input_of = [&](std::int64_t output) {
    const std::int64_t w = output % y.w, h = output / y.w % y.h, n = output / (y.w * y.h);
    return px + ((n * x.h + h) * x.w + w) * x.pixel_stride;
  };
  const auto store = [&](std::int64_t output, const double* sum) {
    float* to = py + output * y.pixel_stride;
    for (std::int64_t i = 0; i < y.c; ++i) {
      const float value = static_cast<float>(static_cast<double>(alpha) * sum[i]);
      to[i] = accumulate ? to[i] + value : value;
    }
  };

  if (chunks == 1) {
    parallel_for(outputs, outputs_per_piece, [&](std::int64_t begin, std::int64_t end) {
      double* sum = acc + begin / outputs_per_piece * y.c;
      for (std::int64_t o = begin; o < end; ++o) {
        std::fill_n(sum, y.c, 0.0);
        sum_positions(input_of(o), r, 0, positions, x.c, keep_c, sum);
        store(o, sum);
      }
    });
    return;
  }
  parallel_for(outputs * chunks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t output = i / chunks, first = i % chunks * per_chunk;
      double* sum = acc + i * y.c;
      std::fill_n(sum, y.c, 0.0);
      sum_positions(input_of(output), r, first, std::min(positions, first + per_chunk), x.c, keep_c, sum);
    }
  });
  for (std::int64_t o = 0; o < outputs; ++o) {
    double* sum = acc + o * chunks * y.c;
    for (std::int64_t k = 1; k < chunks; ++k)
      for (std::int64_t i = 0; i < y.c; ++i) sum[i] += sum[k * y.c + i];
    store(o, sum);
  }
}

}  // namespace gf
