// Layer norm on the CPU: a row of channels stays in the first-level cache while it is gone over. Sums of a row are in
// double; those over pixels too, by chunks of rows that depend on the shape only, added in order.
#include "kernels/layer_norm.h"

#include "kernels/cpu/scratch.h"
#include "kernels/layer_norm_checks.h"
#include "kernels/parallel.h"

#include <cmath>

namespace gf {
namespace {

using cpu::Scratch;

constexpr std::int64_t kGrain = 16384;    // elements per parallel piece
constexpr std::int64_t kMostChunks = 64;  // whose sums over pixels are kept

std::int64_t rows_of_a_piece(std::int64_t c) { return std::max<std::int64_t>(1, kGrain / c); }

// y = (x - mean) * inv_std, then * gamma + beta where there are any
void normalise_row(const float* x, std::int64_t c, float mean, float inv_std, const float* gamma, const float* beta,
                   float* y) {
  if (gamma == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) y[i] = (x[i] - mean) * inv_std;
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) y[i] = (x[i] - mean) * inv_std * gamma[i] + beta[i];
  }
}

// dx of one row; sums: of dy x^ and dy over the rows of a chunk, null without gamma.
void backward_row(const float* x, const float* dy, std::int64_t c, float mean, float inv_std, const float* gamma,
                  float* dx, double* sum_scaled, double* sum_dy) {
  double of_g = 0.0, of_scaled = 0.0;
  if (gamma == nullptr) {
#pragma omp simd reduction(+ : of_g, of_scaled)
    for (std::int64_t i = 0; i < c; ++i) {
      of_g += static_cast<double>(dy[i]);
      of_scaled += static_cast<double>(dy[i] * ((x[i] - mean) * inv_std));
    }
  } else {
#pragma omp simd reduction(+ : of_g, of_scaled)
    for (std::int64_t i = 0; i < c; ++i) {
      const float scaled = dy[i] * ((x[i] - mean) * inv_std);
      of_g += static_cast<double>(gamma[i] * dy[i]);
      of_scaled += static_cast<double>(gamma[i] * scaled);
      sum_scaled[i] += static_cast<double>(scaled);
      sum_dy[i] += static_cast<double>(dy[i]);
    }
  }
  const float mean_g = static_cast<float>(of_g / static_cast<double>(c));
  const float mean_scaled = static_cast<float>(of_scaled / static_cast<double>(c));
  if (gamma == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) dx[i] = inv_std * (dy[i] - mean_g - (x[i] - mean) * inv_std * mean_scaled);
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i)
      dx[i] = inv_std * (gamma[i] * dy[i] - mean_g - (x[i] - mean) * inv_std * mean_scaled);
  }
}

}  // namespace

void layer_norm_forward(const Cpu&, float eps, ConstView x, ConstView gamma, ConstView beta, View mean, View inv_std,
                        View y) {
  const char* kernel = "layer_norm_forward";
  require_view(kernel, "x", x);
  require_layer_norm_forward(kernel, x, gamma, beta, mean, inv_std, y);
  if (x.count() == 0) return;
  const float *px = data_as<float>(x), *pg = data_as<float>(gamma), *pb = data_as<float>(beta);
  float *pm = data_as<float>(mean), *ps = data_as<float>(inv_std), *py = data_as<float>(y);
  const std::int64_t c = x.c;
  const double inverse = 1.0 / static_cast<double>(c);
  parallel_for(x.pixels(), rows_of_a_piece(c), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const float* from = px + p * x.pixel_stride;
      double sum = 0.0, squares = 0.0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = 0; i < c; ++i) sum += static_cast<double>(from[i]);
      const double centre = sum * inverse;
#pragma omp simd reduction(+ : squares)
      for (std::int64_t i = 0; i < c; ++i) {
        const double d = static_cast<double>(from[i]) - centre;
        squares += d * d;
      }
      const float m = static_cast<float>(centre);
      const float s = static_cast<float>(1.0 / std::sqrt(squares * inverse + static_cast<double>(eps)));
      pm[p * mean.pixel_stride] = m;
      ps[p * inv_std.pixel_stride] = s;
      normalise_row(from, c, m, s, pg, pb, py + p * y.pixel_stride);
    }
  });
}

void layer_norm_backward(const Cpu& cpu, ConstView x, ConstView gamma, ConstView dy, ConstView mean, ConstView inv_std,
                         View dx, View dgamma, View dbeta) {
  const char* kernel = "layer_norm_backward";
  require_view(kernel, "x", x);
  require_layer_norm_backward(kernel, x, gamma, dy, mean, inv_std, dx, dgamma, dbeta);
  const float *px = data_as<float>(x), *pg = data_as<float>(gamma), *pdy = data_as<float>(dy);
  const float *pm = data_as<float>(mean), *ps = data_as<float>(inv_std);
  float *pdx = data_as<float>(dx), *pdg = data_as<float>(dgamma), *pdb = data_as<float>(dbeta);
  const bool learns = pg != nullptr;
  const std::int64_t c = x.c, pixels = x.pixels();
  if (x.count() == 0) {
    if (learns) {
      std::fill_n(pdg, c, 0.0f);
      std::fill_n(pdb, c, 0.0f);
    }
    return;
  }
  const std::int64_t rows = std::max(rows_of_a_piece(c), learns ? (pixels + kMostChunks - 1) / kMostChunks : 1);
  const std::int64_t chunks = (pixels + rows - 1) / rows, sums_of_a_chunk = learns ? 2 * c : 0;
  Scratch scratch(cpu, kernel, Scratch::bytes<double>(chunks * sums_of_a_chunk));
  double* sums = scratch.take<double>(chunks * sums_of_a_chunk);
  parallel_for(pixels, rows, [&](std::int64_t begin, std::int64_t end) {
    double *scaled = nullptr, *plain = nullptr;
    if (learns) {
      scaled = sums + begin / rows * sums_of_a_chunk;
      plain = scaled + c;
      std::fill_n(scaled, sums_of_a_chunk, 0.0);
    }
    for (std::int64_t p = begin; p < end; ++p)
      backward_row(px + p * x.pixel_stride, pdy + p * dy.pixel_stride, c, pm[p * mean.pixel_stride],
                   ps[p * inv_std.pixel_stride], pg, pdx + p * dx.pixel_stride, scaled, plain);
  });
  if (!learns) return;
  for (std::int64_t i = 0; i < c; ++i) {
    double scaled = 0.0, plain = 0.0;
    for (std::int64_t k = 0; k < chunks; ++k) {
      scaled += sums[k * sums_of_a_chunk + i];
      plain += sums[k * sums_of_a_chunk + c + i];
    }
    pdg[i] = static_cast<float>(scaled);
    pdb[i] = static_cast<float>(plain);
  }
}

}  // namespace gf
