// Batch normalisation's backward, two sweeps: the sums, then dx.
//
// The sums add four pixels in float32 and those short sums in double, by chunks of pixels as in the forward
// (batch_norm.cpp). Where d_residual is wanted the first sweep stores dy * act'(.) there, and the second reads that
// instead of dy and what the activation's sign is read from.
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

// A tensor as pixels, or as rows of them.
struct Source {
  const float* data = nullptr;
  std::int64_t stride = 0;

  Source from(std::int64_t row) const { return {data + row * stride, stride}; }
  float at(std::int64_t row, std::int64_t i) const { return data[row * stride + i]; }
};

// What g = dy * act'(.) is worked from; what an activation does not read is null.
struct Gradient {
  Source x, y, dy, residual;
  // z = (x - mean) * scale + offset + residual, per element of a row
  const float *mean, *scale, *offset, *slope;

  Gradient from(std::int64_t row) const {
    Gradient g = *this;
    for (Source* s : {&g.x, &g.y, &g.dy, &g.residual}) *s = s->from(row);
    return g;
  }
  // What the activation's slope is read from.
  template <NormActivation act>
  float signal(std::int64_t row, std::int64_t i) const {
    if constexpr (reads_output(act)) return y.at(row, i);
    if constexpr (act == NormActivation::prelu)
      return (x.at(row, i) - mean[i]) * scale[i] + offset[i] + residual.at(row, i);
    return 0.0f;
  }
  template <NormActivation act>
  float through(float signal, float d, std::int64_t i) const {
    if constexpr (act == NormActivation::relu) return signal > 0.0f ? d : 0.0f;
    if constexpr (act == NormActivation::relu6) return signal > 0.0f && signal < 6.0f ? d : 0.0f;
    if constexpr (act == NormActivation::leaky_relu || act == NormActivation::prelu) {
      const float low = slope[i] * d;  // before the choice: a load under a condition is slower
      return signal > 0.0f ? d : low;
    }
    return d;
  }
};

// Sums of a chunk, per channel: of g, of g * (x - mean), and of dy * min(z, 0) for prelu.
struct Sums {
  double *g, *gd, *slope;
};

// Adds kRun pixels to the sums; g is stored where `store`.
template <NormActivation act, bool store, int kRun>
void add_gradient_sums(const Gradient& from, float* g_out, std::int64_t sg, std::int64_t c, const Sums& sums) {
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    float s = 0.0f, q = 0.0f, t = 0.0f;
    for (int k = 0; k < kRun; ++k) {
      const float signal = from.signal<act>(k, i), d = from.dy.at(k, i);
      const float g = from.through<act>(signal, d, i);
      if constexpr (store) g_out[k * sg + i] = g;
      s += g;
      q += g * (from.x.at(k, i) - from.mean[i]);
      if constexpr (act == NormActivation::prelu) t += signal > 0.0f ? 0.0f : d * signal;
    }
    sums.g[i] += static_cast<double>(s);
    sums.gd[i] += static_cast<double>(q);
    if constexpr (act == NormActivation::prelu) sums.slope[i] += static_cast<double>(t);
  }
}

}  // namespace

// With g = dy * act'(.), x^ = (x - mean) * inv_std:
//   dbeta = sum g,   dgamma = sum g x^
//   dx = gamma inv_std (g - mean(g) - x^ mean(g x^))   in training, gamma inv_std g otherwise
void batch_norm_backward(const Cpu& cpu, const BatchNormShape& shape, bool training, ConstView x, ConstView y,
                         ConstView dy, ConstView gamma, ConstView saved_mean, ConstView saved_inv_std, View dx,
                         View dgamma, View dbeta, View d_residual, const PreluBackward& prelu) {
  const char* kernel = "batch_norm_backward";
  require_view(kernel, "x", x);
  require_norm_backward(kernel, shape, x, y, dy, gamma, saved_mean, saved_inv_std, dx, dgamma, dbeta, d_residual,
                        prelu);
  const bool needs_y = reads_output(shape.act), learns = shape.act == NormActivation::prelu;
  const bool keeps_g = d_residual.data != nullptr, adds = learns && prelu.residual.data != nullptr;
  const std::int64_t c = x.c;
  float *pdg = data_as<float>(dgamma), *pdb = data_as<float>(dbeta), *pds = data_as<float>(prelu.d_slope);
  if (x.count() == 0) {
    std::fill_n(pdg, c, 0.0f);
    std::fill_n(pdb, c, 0.0f);
    if (learns) std::fill_n(pds, prelu.d_slope.c, 0.0f);
    return;
  }
  const bool dense = x.dense() && dy.dense() && dx.dense() && (!needs_y || y.dense()) &&
                     (!keeps_g || d_residual.dense()) && (!adds || prelu.residual.dense());
  const Chunks chunks(x.pixels(), c);
  const Rows rows(x.shape(), dense);
  Scratch scratch(cpu, kernel,
                  (learns ? 3 : 2) * Scratch::bytes<double>(chunks.count * c) + 8 * Scratch::bytes<float>(rows.length));
  const Sums sums{scratch.take<double>(chunks.count * c), scratch.take<double>(chunks.count * c),
                  learns ? scratch.take<double>(chunks.count * c) : nullptr};
  float* mean = scratch.take<float>(rows.length);
  float* scale = scratch.take<float>(rows.length);
  float* offset = scratch.take<float>(rows.length);
  float* slopes = scratch.take<float>(rows.length);
  float* zeros = scratch.take<float>(rows.length);
  float* from_g = scratch.take<float>(rows.length);
  float* from_x = scratch.take<float>(rows.length);
  float* constant = scratch.take<float>(rows.length);
  std::memcpy(mean, saved_mean.data, static_cast<std::size_t>(c) * sizeof(float));
  for (std::int64_t i = 0; i < c; ++i) {
    scale[i] = static_cast<float>(static_cast<double>(data_as<float>(gamma)[i]) *
                                  static_cast<double>(data_as<float>(saved_inv_std)[i]));
    offset[i] = learns ? data_as<float>(prelu.beta)[i] : 0.0f;
  }
  for (float* v : {mean, scale, offset}) rows.repeat(v);
  cpu::fill_slopes(shape, prelu.slope, rows, slopes);
  std::fill_n(zeros, rows.length, 0.0f);

  float *pdx = data_as<float>(dx), *pg = keeps_g ? data_as<float>(d_residual) : nullptr;
  const auto gradient = [&](auto stride) {
    const auto source = [&](const ConstView& v) { return Source{data_as<float>(v), stride(v)}; };
    return Gradient{source(x),  needs_y ? source(y) : Source{},
                    source(dy), adds ? source(prelu.residual) : Source{zeros, 0},
                    mean,       scale,
                    offset,     slopes};
  };
  const Gradient by_pixel = gradient([](const ConstView& v) { return v.pixel_stride; });
  const auto add_up = [&](auto act, auto store) {
    parallel_for(chunks.count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k) {
        const Sums mine{sums.g + k * c, sums.gd + k * c, learns ? sums.slope + k * c : nullptr};
        for (double* s : {mine.g, mine.gd, mine.slope})
          if (s != nullptr) std::fill_n(s, c, 0.0);
        const auto run = [&](std::int64_t p, auto pixels) {
          add_gradient_sums<act.value, store.value, pixels.value>(
              by_pixel.from(p), pg == nullptr ? nullptr : pg + p * d_residual.pixel_stride, d_residual.pixel_stride, c,
              mine);
        };
        std::int64_t p = chunks.begin(k);
        const std::int64_t last = p + chunks.length(k);
        for (; p + 4 <= last; p += 4) run(p, std::integral_constant<int, 4>{});
        for (; p < last; ++p) run(p, std::integral_constant<int, 1>{});
      }
    });
  };
  cpu::with_activation(shape.act,
                       [&](auto act) { keeps_g ? add_up(act, std::true_type{}) : add_up(act, std::false_type{}); });

  const double n = static_cast<double>(chunks.pixels);
  double d_slope = 0.0;
  for (std::int64_t i = 0; i < c; ++i) {
    double s = 0.0, q = 0.0, t = 0.0;
    for (std::int64_t k = 0; k < chunks.count; ++k) {
      s += sums.g[k * c + i];
      q += sums.gd[k * c + i];
      if (learns) t += sums.slope[k * c + i];
    }
    const double inv_std = data_as<float>(saved_inv_std)[i], gain = data_as<float>(gamma)[i] * inv_std;
    pdb[i] = static_cast<float>(s);
    pdg[i] = static_cast<float>(q * inv_std);
    from_g[i] = static_cast<float>(gain);
    from_x[i] = training ? static_cast<float>(-gain * inv_std * inv_std * q / n) : 0.0f;
    constant[i] = training ? static_cast<float>(-gain * s / n) : 0.0f;
    d_slope += t;
    if (learns && prelu.d_slope.c > 1) pds[i] = static_cast<float>(t);
  }
  if (learns && prelu.d_slope.c == 1) pds[0] = static_cast<float>(d_slope);
  for (float* v : {from_g, from_x, constant}) rows.repeat(v);

  // The second sweep: g once more, or as the first sweep left it in d_residual.
  Gradient by_row = gradient([&](const ConstView& v) { return rows.stride(v); });
  if (keeps_g) by_row.dy = {pg, rows.stride(d_residual)};
  const auto finish = [&](auto act) {
    const std::int64_t sdx = rows.stride(dx);
    cpu::parallel_for_backwards(rows.count, std::max<std::int64_t>(1, cpu::kNormGrain / rows.length),
                                [&](std::int64_t begin, std::int64_t end) {
                                  for (std::int64_t r = begin; r < end; ++r) {
                                    const Gradient from = by_row.from(r);
                                    const auto g = [&](std::int64_t i) {
                                      return from.through<act.value>(from.signal<act.value>(0, i), from.dy.at(0, i), i);
                                    };
                                    float* to = pdx + r * sdx;
                                    const std::int64_t length = rows.length_of(r);
                                    if (training) {
#pragma omp simd
                                      for (std::int64_t i = 0; i < length; ++i)
                                        to[i] =
                                            from_g[i] * g(i) + (from_x[i] * (from.x.at(0, i) - mean[i]) + constant[i]);
                                    } else {
#pragma omp simd
                                      for (std::int64_t i = 0; i < length; ++i) to[i] = from_g[i] * g(i);
                                    }
                                  }
                                });
  };
  if (keeps_g) return finish(std::integral_constant<NormActivation, NormActivation::none>{});
  cpu::with_activation(shape.act, finish);
}

}  // namespace gf
