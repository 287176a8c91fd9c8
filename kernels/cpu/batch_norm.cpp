// Batch normalisation forward, two sweeps: the statistics, then y.
//
// Statistics. Pixels are cut into chunks whose size depends on the shape only (channel_moments.h sums one), and chunks
// are merged by Chan, Golub and LeVeque's rule ("Updating formulae and a pairwise algorithm for computing sample
// variances", 1979), in order: the result does not depend on the number of threads.
#include "kernels/batch_norm.h"

#include "kernels/batch_norm_checks.h"
#include "kernels/cpu/batch_norm_parts.h"
#include "kernels/cpu/channel_moments.h"
#include "kernels/cpu/scratch.h"

#include <cmath>

namespace gf {
namespace {

using cpu::chunk_statistics;
using cpu::Chunks;
using cpu::Rows;
using cpu::Scratch;

// act, with comparisons that let a NaN through
template <NormActivation act>
float activate(float v, [[maybe_unused]] float slope) {
  if constexpr (act == NormActivation::relu) return 0.0f > v ? 0.0f : v;
  if constexpr (act == NormActivation::relu6) {
    v = 0.0f > v ? 0.0f : v;
    return 6.0f < v ? 6.0f : v;
  }
  if constexpr (act == NormActivation::leaky_relu || act == NormActivation::prelu) return v > 0.0f ? v : slope * v;
  return v;
}

// y = act((x - mean) * scale + offset + residual), the vectors repeated to the row's length
void normalise(const BatchNormShape& shape, const ConstView& x, const ConstView& residual, const float* mean,
               const float* scale, const float* offset, const float* slope, const Rows& rows, const View& y) {
  const float *px = data_as<float>(x), *pr = data_as<float>(residual);
  float* py = data_as<float>(y);
  const std::int64_t sx = rows.stride(x), sy = rows.stride(y), sr = pr == nullptr ? 0 : rows.stride(residual);
  cpu::with_activation(shape.act, [&](auto act) {
    cpu::parallel_for_backwards(
        rows.count, std::max<std::int64_t>(1, cpu::kNormGrain / rows.length),
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t r = begin; r < end; ++r) {
            const float *from = px + r * sx, *add = pr + r * sr;
            float* to = py + r * sy;
            const std::int64_t length = rows.length_of(r);
            if (pr == nullptr) {
#pragma omp simd
              for (std::int64_t i = 0; i < length; ++i)
                to[i] = activate<act.value>((from[i] - mean[i]) * scale[i] + offset[i], slope[i]);
            } else {
#pragma omp simd
              for (std::int64_t i = 0; i < length; ++i)
                to[i] = activate<act.value>((from[i] - mean[i]) * scale[i] + offset[i] + add[i], slope[i]);
            }
          }
        });
  });
}

bool all_dense(const ConstView& x, const ConstView& y, const ConstView& residual) {
  return x.dense() && y.dense() && (residual.data == nullptr || residual.dense());
}

}  // namespace

void batch_norm_train(const Cpu& cpu, const BatchNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                      ConstView residual, View running_mean, View running_var, View saved_mean, View saved_inv_std,
                      View y, ConstView slope) {
  const char* kernel = "batch_norm_train";
  require_view(kernel, "x", x);
  require_norm_forward(kernel, shape, x, gamma, beta, residual, running_mean, running_var, y, slope);
  require_vector(kernel, "saved_mean", saved_mean, x.c);
  require_vector(kernel, "saved_inv_std", saved_inv_std, x.c);
  if (x.count() == 0) return;

  const std::int64_t c = x.c;
  const Chunks chunks(x.pixels(), c);
  const Rows rows(x.shape(), all_dense(x, y, residual));
  Scratch scratch(cpu, kernel,
                  2 * Scratch::bytes<double>(chunks.count * c) + Scratch::bytes<float>(chunks.count * c) +
                      4 * Scratch::bytes<float>(rows.length));
  double* chunk_mean = scratch.take<double>(chunks.count * c);
  double* chunk_m2 = scratch.take<double>(chunks.count * c);
  float* shift = scratch.take<float>(chunks.count * c);
  float* mean = scratch.take<float>(rows.length);
  float* scale = scratch.take<float>(rows.length);
  float* offset = scratch.take<float>(rows.length);
  float* slopes = scratch.take<float>(rows.length);
  cpu::fill_slopes(shape, slope, rows, slopes);

  const float* px = data_as<float>(x);
  parallel_for(chunks.count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k)
      chunk_statistics(px + chunks.begin(k) * x.pixel_stride, chunks.length(k), x.pixel_stride, c, shift + k * c,
                       chunk_mean + k * c, chunk_m2 + k * c);
  });

  const double n = static_cast<double>(chunks.pixels), momentum = shape.momentum;
  const double unbiased = chunks.pixels > 1 ? n / (n - 1.0) : 1.0;
  const float *pg = data_as<float>(gamma), *pb = data_as<float>(beta);
  float *rm = data_as<float>(running_mean), *rv = data_as<float>(running_var);
  float *sm = data_as<float>(saved_mean), *si = data_as<float>(saved_inv_std);
  for (std::int64_t i = 0; i < c; ++i) {
    double mu = 0.0, m2 = 0.0;
    for (std::int64_t k = 0; k < chunks.count; ++k) mu += static_cast<double>(chunks.length(k)) * chunk_mean[k * c + i];
    mu /= n;
    for (std::int64_t k = 0; k < chunks.count; ++k) {
      const double d = chunk_mean[k * c + i] - mu;
      m2 += chunk_m2[k * c + i] + static_cast<double>(chunks.length(k)) * d * d;
    }
    const double var = m2 > 0.0 ? m2 / n : m2 * 0.0;  // rounding can leave a negative zero's worth; NaN stays
    const double inv_std = 1.0 / std::sqrt(var + static_cast<double>(shape.eps));
    sm[i] = mean[i] = static_cast<float>(mu);
    si[i] = static_cast<float>(inv_std);
    const double gain = static_cast<double>(pg[i]) * inv_std;
    scale[i] = static_cast<float>(gain);
    // The mean lost bits when it became a float; the offset gives them back.
    offset[i] = static_cast<float>(static_cast<double>(pb[i]) + (static_cast<double>(mean[i]) - mu) * gain);
    rm[i] = static_cast<float>((1.0 - momentum) * static_cast<double>(rm[i]) + momentum * mu);
    rv[i] = static_cast<float>((1.0 - momentum) * static_cast<double>(rv[i]) + momentum * var * unbiased);
  }
  for (float* v : {mean, scale, offset}) rows.repeat(v);
  normalise(shape, x, residual, mean, scale, offset, slopes, rows, y);
}

void batch_norm_eval(const Cpu& cpu, const BatchNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                     ConstView residual, ConstView running_mean, ConstView running_var, View y, ConstView slope) {
  const char* kernel = "batch_norm_eval";
  require_view(kernel, "x", x);
  require_norm_forward(kernel, shape, x, gamma, beta, residual, running_mean, running_var, y, slope);
  if (x.count() == 0) return;

  const Rows rows(x.shape(), all_dense(x, y, residual));
  Scratch scratch(cpu, kernel, 4 * Scratch::bytes<float>(rows.length));
  float* mean = scratch.take<float>(rows.length);
  float* scale = scratch.take<float>(rows.length);
  float* offset = scratch.take<float>(rows.length);
  float* slopes = scratch.take<float>(rows.length);
  cpu::fill_slopes(shape, slope, rows, slopes);
  for (std::int64_t i = 0; i < x.c; ++i) {
    mean[i] = data_as<float>(running_mean)[i];
    scale[i] = static_cast<float>(data_as<float>(gamma)[i] /
                                  std::sqrt(static_cast<double>(data_as<float>(running_var)[i]) + shape.eps));
    offset[i] = data_as<float>(beta)[i];
  }
  for (float* v : {mean, scale, offset}) rows.repeat(v);
  normalise(shape, x, residual, mean, scale, offset, slopes, rows, y);
}

}  // namespace gf
