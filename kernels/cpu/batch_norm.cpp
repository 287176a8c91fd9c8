// Batch normalisation, three sweeps over memory forward (statistics read x; normalise reads x, writes y) and two
// backward (sums; dx).
//
// Statistics. Pixels are cut into chunks whose size depends on the shape only. A chunk subtracts a shift near its own
// mean (from four of its pixels), adds eight pixels of x - shift and of its square in float32, and those short sums in
// double: rounding stays relative to the channel's spread, not to its mean, at almost the speed of plain float32.
// Chunks are merged by Chan, Golub and LeVeque's rule ("Updating formulae and a pairwise algorithm for computing sample
// variances", 1979), in order: the result does not depend on the number of threads.
#include "kernels/batch_norm.h"

#include "kernels/check.h"
#include "kernels/cpu/scratch.h"
#include "kernels/parallel.h"

#include <cmath>
#include <cstring>

namespace gf {
namespace {

using cpu::Scratch;

constexpr std::int64_t kGrain = 32768;  // elements per chunk
constexpr std::int64_t kTile = 128;     // short rows of channels are folded up to this length

// The cut of pixels into chunks.
struct Chunks {
  std::int64_t pixels, size, count;

  Chunks(std::int64_t pixels_, std::int64_t c)
      : pixels(pixels_),
        size(std::max<std::int64_t>(16, kGrain / std::max<std::int64_t>(c, 1) / 16 * 16)),
        count((pixels + size - 1) / size) {}
  std::int64_t begin(std::int64_t k) const { return k * size; }
  std::int64_t length(std::int64_t k) const { return std::min(size, pixels - k * size); }
};

// Pixels seen as longer rows: where every view is dense, several pixels make one row, because short rows cost more in
// loop control than in arithmetic. Per-channel vectors are repeated to the row's length.
struct Rows {
  std::int64_t c, fold, length, count, elements;

  Rows(const Shape& s, bool dense)
      : c(s.c),
        fold(dense && s.c <= kTile / 2 ? kTile / s.c : 1),
        length(fold * c),
        count((s.pixels() + fold - 1) / fold),
        elements(s.count()) {}
  std::int64_t stride(const ConstView& v) const { return fold == 1 ? v.pixel_stride : length; }
  std::int64_t length_of(std::int64_t row) const { return std::min(length, elements - row * length); }
  // Fills values c.. of a vector of `length` by repeating its first c.
  void repeat(float* v) const {
    for (std::int64_t i = c; i < length; ++i) v[i] = v[i - c];
  }
};

// act, with comparisons that let a NaN through
template <NormActivation act>
float activate(float v, [[maybe_unused]] float slope) {
  if constexpr (act == NormActivation::relu) return 0.0f > v ? 0.0f : v;
  if constexpr (act == NormActivation::relu6) {
    v = 0.0f > v ? 0.0f : v;
    return 6.0f < v ? 6.0f : v;
  }
  if constexpr (act == NormActivation::leaky_relu) return v > 0.0f ? v : slope * v;
  return v;
}

// dy * act'(.), from the output y
template <NormActivation act>
float through_activation(float y, float dy, [[maybe_unused]] float slope) {
  if constexpr (act == NormActivation::relu) return y > 0.0f ? dy : 0.0f;
  if constexpr (act == NormActivation::relu6) return y > 0.0f && y < 6.0f ? dy : 0.0f;
  if constexpr (act == NormActivation::leaky_relu) return y > 0.0f ? dy : slope * dy;
  return dy;
}

template <class Body>
void with_activation(NormActivation act, const Body& body) {
  using A = NormActivation;
  switch (act) {
    case A::none:
      return body(std::integral_constant<A, A::none>{});
    case A::relu:
      return body(std::integral_constant<A, A::relu>{});
    case A::relu6:
      return body(std::integral_constant<A, A::relu6>{});
    case A::leaky_relu:
      return body(std::integral_constant<A, A::leaky_relu>{});
  }
}

// sum += sum of d, square += sum of d^2, d = x - shift, over `count` pixels
template <int kRun>
void add_moments(const float* x, std::int64_t stride, std::int64_t c, const float* shift, double* sum, double* square) {
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    float s = 0.0f, q = 0.0f;
    for (int k = 0; k < kRun; ++k) {
      const float d = x[k * stride + i] - shift[i];
      s += d;
      q += d * d;
    }
    sum[i] += static_cast<double>(s);
    square[i] += static_cast<double>(q);
  }
}

// Mean and sum of squared distances from it, of one chunk.
void chunk_statistics(const float* x, std::int64_t pixels, std::int64_t stride, std::int64_t c, float* shift,
                      double* mean, double* m2) {
  const float *a = x, *b = x + pixels / 4 * stride, *d = x + pixels / 2 * stride, *e = x + pixels * 3 / 4 * stride;
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    shift[i] = ((a[i] + b[i]) + (d[i] + e[i])) * 0.25f;
    mean[i] = m2[i] = 0.0;
  }
  std::int64_t p = 0;
  for (; p + 8 <= pixels; p += 8) add_moments<8>(x + p * stride, stride, c, shift, mean, m2);
  for (; p < pixels; ++p) add_moments<1>(x + p * stride, stride, c, shift, mean, m2);
  const double inverse = 1.0 / static_cast<double>(pixels);
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    m2[i] -= mean[i] * mean[i] * inverse;
    mean[i] = static_cast<double>(shift[i]) + mean[i] * inverse;
  }
}

// y = act((x - mean) * scale + offset + residual), the three vectors repeated to the row's length
void normalise(const BatchNormShape& shape, const ConstView& x, const ConstView& residual, const float* mean,
               const float* scale, const float* offset, const Rows& rows, const View& y) {
  const float *px = data_as<float>(x), *pr = data_as<float>(residual);
  float* py = data_as<float>(y);
  const std::int64_t sx = rows.stride(x), sy = rows.stride(y), sr = pr == nullptr ? 0 : rows.stride(residual);
  const float slope = shape.slope;
  with_activation(shape.act, [&](auto act) {
    parallel_for(rows.count, std::max<std::int64_t>(1, kGrain / rows.length),
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t r = begin; r < end; ++r) {
                     const float *from = px + r * sx, *add = pr + r * sr;
                     float* to = py + r * sy;
                     const std::int64_t length = rows.length_of(r);
                     if (pr == nullptr) {
#pragma omp simd
                       for (std::int64_t i = 0; i < length; ++i)
                         to[i] = activate<act.value>((from[i] - mean[i]) * scale[i] + offset[i], slope);
                     } else {
#pragma omp simd
                       for (std::int64_t i = 0; i < length; ++i)
                         to[i] = activate<act.value>((from[i] - mean[i]) * scale[i] + offset[i] + add[i], slope);
                     }
                   }
                 });
  });
}

void require_forward(const char* kernel, const BatchNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                     ConstView residual, ConstView y) {
  require_view(kernel, "x", x);
  require_view(kernel, "y", y);
  require_same_shape(kernel, "x", x, "y", y);
  require_vector(kernel, "gamma", gamma, x.c);
  require_vector(kernel, "beta", beta, x.c);
  if (residual.data != nullptr) {
    require_view(kernel, "residual", residual);
    require_same_shape(kernel, "residual", residual, "y", y);
  }
  if (shape.act == NormActivation::leaky_relu && shape.slope < 0.0f)
    fail(std::string(kernel) + ": negative slope", describe("y", y), "a slope of at least 0",
         std::to_string(shape.slope), "the backward reads the sign from the output");
}

bool all_dense(const ConstView& x, const ConstView& y, const ConstView& residual) {
  return x.dense() && y.dense() && (residual.data == nullptr || residual.dense());
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

void batch_norm_train(const Cpu& cpu, const BatchNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                      ConstView residual, View running_mean, View running_var, View saved_mean, View saved_inv_std,
                      View y) {
  const char* kernel = "batch_norm_train";
  require_forward(kernel, shape, x, gamma, beta, residual, y);
  require_vector(kernel, "running_mean", running_mean, x.c);
  require_vector(kernel, "running_var", running_var, x.c);
  require_vector(kernel, "saved_mean", saved_mean, x.c);
  require_vector(kernel, "saved_inv_std", saved_inv_std, x.c);
  if (x.count() == 0) return;

  const std::int64_t c = x.c;
  const Chunks chunks(x.pixels(), c);
  const Rows rows(x.shape(), all_dense(x, y, residual));
  Scratch scratch(cpu, kernel,
                  2 * Scratch::bytes<double>(chunks.count * c) + Scratch::bytes<float>(chunks.count * c) +
                      3 * Scratch::bytes<float>(rows.length));
  double* chunk_mean = scratch.take<double>(chunks.count * c);
  double* chunk_m2 = scratch.take<double>(chunks.count * c);
  float* shift = scratch.take<float>(chunks.count * c);
  float* mean = scratch.take<float>(rows.length);
  float* scale = scratch.take<float>(rows.length);
  float* offset = scratch.take<float>(rows.length);

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
  normalise(shape, x, residual, mean, scale, offset, rows, y);
}

void batch_norm_eval(const Cpu& cpu, const BatchNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                     ConstView residual, ConstView running_mean, ConstView running_var, View y) {
  const char* kernel = "batch_norm_eval";
  require_forward(kernel, shape, x, gamma, beta, residual, y);
  require_vector(kernel, "running_mean", running_mean, x.c);
  require_vector(kernel, "running_var", running_var, x.c);
  if (x.count() == 0) return;

  const Rows rows(x.shape(), all_dense(x, y, residual));
  Scratch scratch(cpu, kernel, 3 * Scratch::bytes<float>(rows.length));
  float* mean = scratch.take<float>(rows.length);
  float* scale = scratch.take<float>(rows.length);
  float* offset = scratch.take<float>(rows.length);
  for (std::int64_t i = 0; i < x.c; ++i) {
    mean[i] = data_as<float>(running_mean)[i];
    scale[i] = static_cast<float>(data_as<float>(gamma)[i] /
                                  std::sqrt(static_cast<double>(data_as<float>(running_var)[i]) + shape.eps));
    offset[i] = data_as<float>(beta)[i];
  }
  for (float* v : {mean, scale, offset}) rows.repeat(v);
  normalise(shape, x, residual, mean, scale, offset, rows, y);
}

// With g = dy * act'(.), x^ = (x - mean) * inv_std:
//   dbeta = sum g,   dgamma = sum g x^
//   dx = gamma inv_std (g - mean(g) - x^ mean(g x^))   in training, gamma inv_std g otherwise
void batch_norm_backward(const Cpu& cpu, const BatchNormShape& shape, bool training, ConstView x, ConstView y,
                         ConstView dy, ConstView gamma, ConstView saved_mean, ConstView saved_inv_std, View dx,
                         View dgamma, View dbeta, View d_residual) {
  const char* kernel = "batch_norm_backward";
  require_view(kernel, "x", x);
  require_view(kernel, "dy", dy);
  require_view(kernel, "dx", dx);
  require_same_shape(kernel, "dy", dy, "x", x);
  require_same_shape(kernel, "dx", dx, "x", x);
  const bool needs_y = shape.act != NormActivation::none;
  if (needs_y) {
    require_view(kernel, "y", y);
    require_same_shape(kernel, "y", y, "x", x);
  }
  const bool keeps_g = d_residual.data != nullptr;
  if (keeps_g) {
    require_view(kernel, "d_residual", d_residual);
    require_same_shape(kernel, "d_residual", d_residual, "x", x);
  }
  require_vector(kernel, "gamma", gamma, x.c);
  require_vector(kernel, "saved_mean", saved_mean, x.c);
  require_vector(kernel, "saved_inv_std", saved_inv_std, x.c);
  require_vector(kernel, "dgamma", dgamma, x.c);
  require_vector(kernel, "dbeta", dbeta, x.c);

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
  with_activation(shape.act, [&](auto act) { keeps_g ? sums(act, std::true_type{}) : sums(act, std::false_type{}); });

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
    parallel_for(
        rows.count, std::max<std::int64_t>(1, kGrain / rows.length), [&](std::int64_t begin, std::int64_t end) {
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
  with_activation(shape.act,
                  [&](auto act) { finish(act, pdy, rows.stride(dy), py, py == nullptr ? 0 : rows.stride(y)); });
}

}  // namespace gf
