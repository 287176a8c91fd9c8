// Batch normalisation's backward, two sweeps: the sums, then dx.
//
// The sums add four pixels in float32 and those short sums in double, by chunks of pixels as in the forward
// (batch_norm.cpp). Where d_residual is wanted the first sweep stores dy * act'(.) there, and the second reads that
// instead of dy and y.
#include "kernels/batch_norm.h"

#include "kernels/batch_norm_checks.h"
#include "kernels/cpu/batch_norm_parts.h"
#include "kernels/cpu/scratch.h"

#include <cstring>

namespace gf {
namespace {

using cpu::Chunks;
using cpu::Rows;
using cpu::Scratch;

// dy * act'(.), from the output y
template <NormActivation act>
float through_activation(float y, float dy, [[maybe_unused]] float slope) {
  if constexpr (act == NormActivation::relu) return y > 0.0f ? dy : 0.0f;
  if constexpr (act == NormActivation::relu6) return y > 0.0f && y < 6.0f ? dy : 0.0f;
  if constexpr (act == NormActivation::leaky_relu) return y > 0.0f ? dy : slope * dy;
  return dy;
}

// sum_g += g, sum_gd += g * (x - mean), g = dy * act'(.), over kRun pixels; g is stored where `g_out` is not null.
template <NormActivation act, bool store, int kRun>
void add_gradient_sums(const float* x, std::int64_t sx, const float* y, std::int64_t sy, const float* dy,
                       std::int64_t sdy, float* g_out, std::int64_t sg, std::int64_t c, const float* mean, float slope,
                       double* sum_g, double* sum_gd) {
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    float s = 0.0f, q = 0.0f;
    for (int k = 0; k < kRun; ++k) {
      const float out = act == NormActivation::none ? 0.0f : y[k * sy + i];
      const float g = through_activation<act>(out, dy[k * sdy + i], slope);
      if constexpr (store) g_out[k * sg + i] = g;
      s += g;
      q += g * (x[k * sx + i] - mean[i]);
    }
    sum_g[i] += static_cast<double>(s);
    sum_gd[i] += static_cast<double>(q);
  }
}

}  // namespace

// With g = dy * act'(.), x^ = (x - mean) * inv_std:
//   dbeta = sum g,   dgamma = sum g x^
//   dx = gamma inv_std (g - mean(g) - x^ mean(g x^))   in training, gamma inv_std g otherwise
void batch_norm_backward(const Cpu& cpu, const BatchNormShape& shape, bool training, ConstView x, ConstView y,
                         ConstView dy, ConstView gamma, ConstView saved_mean, ConstView saved_inv_std, View dx,
                         View dgamma, View dbeta, View d_residual) {
  const char* kernel = "batch_norm_backward";
  require_view(kernel, "x", x);
  require_norm_backward(kernel, shape, x, y, dy, gamma, saved_mean, saved_inv_std, dx, dgamma, dbeta, d_residual);
  const bool needs_y = shape.act != NormActivation::none, keeps_g = d_residual.data != nullptr;
  const std::int64_t c = x.c;
  float *pdg = data_as<float>(dgamma), *pdb = data_as<float>(dbeta);
  if (x.count() == 0) {
    std::fill_n(pdg, c, 0.0f);
    std::fill_n(pdb, c, 0.0f);
    return;
  }
  const bool dense =
      x.dense() && dy.dense() && dx.dense() && (!needs_y || y.dense()) && (!keeps_g || d_residual.dense());
  const Chunks chunks(x.pixels(), c);
  const Rows rows(x.shape(), dense);
  Scratch scratch(cpu, kernel, 2 * Scratch::bytes<double>(chunks.count * c) + 4 * Scratch::bytes<float>(rows.length));
  double* sum_g = scratch.take<double>(chunks.count * c);
  double* sum_gd = scratch.take<double>(chunks.count * c);
  float* mean = scratch.take<float>(rows.length);
  float* from_g = scratch.take<float>(rows.length);
  float* from_x = scratch.take<float>(rows.length);
  float* constant = scratch.take<float>(rows.length);
  std::memcpy(mean, saved_mean.data, static_cast<std::size_t>(c) * sizeof(float));

  const float *px = data_as<float>(x), *py = needs_y ? data_as<float>(y) : nullptr, *pdy = data_as<float>(dy);
  float *pdx = data_as<float>(dx), *pg = keeps_g ? data_as<float>(d_residual) : nullptr;
  const float slope = shape.slope;
  const auto sums = [&](auto act, auto store) {
    parallel_for(chunks.count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        double *s = sum_g + k * c, *q = sum_gd + k * c;
        std::fill_n(s, c, 0.0);
        std::fill_n(q, c, 0.0);
        const auto run = [&](std::int64_t p, auto pixels) {
          add_gradient_sums<act.value, store.value, pixels.value>(
              px + p * x.pixel_stride, x.pixel_stride, py == nullptr ? nullptr : py + p * y.pixel_stride,
              y.pixel_stride, pdy + p * dy.pixel_stride, dy.pixel_stride,
              pg == nullptr ? nullptr : pg + p * d_residual.pixel_stride, d_residual.pixel_stride, c, mean, slope, s,
              q);
        };
        std::int64_t p = chunks.begin(k);
        const std::int64_t last = p + chunks.length(k);
        for (; p + 4 <= last; p += 4) run(p, std::integral_constant<int, 4>{});
        for (; p < last; ++p) run(p, std::integral_constant<int, 1>{});
      }
    });
  };
  cpu::with_activation(shape.act,
                       [&](auto act) { keeps_g ? sums(act, std::true_type{}) : sums(act, std::false_type{}); });

  const double n = static_cast<double>(chunks.pixels);
  for (std::int64_t i = 0; i < c; ++i) {
    double s = 0.0, q = 0.0;
    for (std::int64_t k = 0; k < chunks.count; ++k) {
      s += sum_g[k * c + i];
      q += sum_gd[k * c + i];
    }
    const double inv_std = data_as<float>(saved_inv_std)[i], gain = data_as<float>(gamma)[i] * inv_std;
    pdb[i] = static_cast<float>(s);
    pdg[i] = static_cast<float>(q * inv_std);
    from_g[i] = static_cast<float>(gain);
    from_x[i] = training ? static_cast<float>(-gain * inv_std * inv_std * q / n) : 0.0f;
    constant[i] = training ? static_cast<float>(-gain * s / n) : 0.0f;
  }
  for (float* v : {mean, from_g, from_x, constant}) rows.repeat(v);

  // The second sweep: g once more from dy and y, or as the first sweep left it in d_residual.
  const auto finish = [&](auto act, const float* g, std::int64_t sg, const float* out, std::int64_t so) {
    const std::int64_t sx = rows.stride(x), sdx = rows.stride(dx);
    cpu::parallel_for_backwards(
        rows.count, std::max<std::int64_t>(1, cpu::kNormGrain / rows.length),
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t r = begin; r < end; ++r) {
            const float *xr = px + r * sx, *gr = g + r * sg, *yr = out + r * so;
            float* to = pdx + r * sdx;
            const std::int64_t length = rows.length_of(r);
            if (training) {
#pragma omp simd
              for (std::int64_t i = 0; i < length; ++i) {
                const float v =
                    through_activation<act.value>(act.value == NormActivation::none ? 0.0f : yr[i], gr[i], slope);
                to[i] = from_g[i] * v + (from_x[i] * (xr[i] - mean[i]) + constant[i]);
              }
            } else {
#pragma omp simd
              for (std::int64_t i = 0; i < length; ++i)
                to[i] = from_g[i] *
                        through_activation<act.value>(act.value == NormActivation::none ? 0.0f : yr[i], gr[i], slope);
            }
          }
        });
  };
  using None = std::integral_constant<NormActivation, NormActivation::none>;
  if (keeps_g) return finish(None{}, pg, rows.stride(d_residual), nullptr, 0);
  cpu::with_activation(shape.act,
                       [&](auto act) { finish(act, pdy, rows.stride(dy), py, py == nullptr ? 0 : rows.stride(y)); });
}

}  // namespace gf
