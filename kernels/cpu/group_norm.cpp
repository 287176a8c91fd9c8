// Group norm on the CPU, two sweeps each way: sums, then y or dx. A picture's pixels are cut into chunks whose size
// depends on the shape only; sums of a chunk are per channel (channel_moments.h), and only they are brought together by
// groups, in double and in order.
#include "kernels/group_norm.h"

#include "kernels/cpu/batch_norm_parts.h"
#include "kernels/cpu/channel_moments.h"
#include "kernels/cpu/scratch.h"
#include "kernels/group_norm_checks.h"

#include <cmath>

namespace gf {
namespace {

using cpu::Scratch;

// The pictures' pixels in chunks that do not cross from one to the next.
struct PictureChunks {
  std::int64_t pixels, size, per_picture, count;

  explicit PictureChunks(const ConstView& x)
      : pixels(x.h * x.w),
        size(std::max<std::int64_t>(16, cpu::kNormGrain / std::max<std::int64_t>(x.c, 1) / 16 * 16)),
        per_picture((pixels + size - 1) / size),
        count(x.n * per_picture) {}
  std::int64_t picture(std::int64_t k) const { return k / per_picture; }
  std::int64_t begin(std::int64_t k) const { return picture(k) * pixels + k % per_picture * size; }
  std::int64_t length(std::int64_t k) const { return std::min(size, pixels - k % per_picture * size); }

  // body(chunk) for all of them, in parallel; `backwards` begins with what the sweep before touched last.
  template <class Body>
  void for_each(bool backwards, const Body& body) const {
    const auto run = [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t k = first; k < last; ++k) body(k);
    };
    backwards ? cpu::parallel_for_backwards(count, 1, run) : parallel_for(count, 1, run);
  }
};

// to = act((x - mean) * scale + offset + add)
template <bool relu, bool adds>
void normalise_row(const float* x, const float* add, std::int64_t c, const float* mean, const float* scale,
                   const float* offset, float* to) {
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    float v = (x[i] - mean[i]) * scale[i] + offset[i];
    if constexpr (adds) v += add[i];
    if constexpr (relu) v = 0.0f > v ? 0.0f : v;  // a NaN passes
    to[i] = v;
  }
}

// What dy becomes behind the ReLU.
template <bool relu>
float through(float y, float dy) {
  if constexpr (relu) return y > 0.0f ? dy : 0.0f;
  return dy;
}

// sum += g, scaled += g * (x - mean) over kRun pixels; g is stored where `store`.
template <bool relu, bool store, int kRun>
void add_gradient_sums(const float* x, std::int64_t sx, const float* y, std::int64_t sy, const float* dy,
                       std::int64_t sdy, float* g_out, std::int64_t sg, std::int64_t c, const float* mean, double* sum,
                       double* scaled) {
#pragma omp simd
  for (std::int64_t i = 0; i < c; ++i) {
    float s = 0.0f, q = 0.0f;
    for (int k = 0; k < kRun; ++k) {
      const float g = through<relu>(relu ? y[k * sy + i] : 0.0f, dy[k * sdy + i]);
      if constexpr (store) g_out[k * sg + i] = g;
      s += g;
      q += g * (x[k * sx + i] - mean[i]);
    }
    sum[i] += static_cast<double>(s);
    scaled[i] += static_cast<double>(q);
  }
}

// Calls body with two flags as types.
template <class Body>
void with_flags(bool a, bool b, const Body& body) {
  if (a) return b ? body(std::true_type{}, std::true_type{}) : body(std::true_type{}, std::false_type{});
  b ? body(std::false_type{}, std::true_type{}) : body(std::false_type{}, std::false_type{});
}

}  // namespace

void group_norm_forward(const Cpu& cpu, const GroupNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                        ConstView residual, View mean, View inv_std, View y) {
  const char* kernel = "group_norm_forward";
  require_view(kernel, "x", x);
  require_group_norm_forward(kernel, shape, x, gamma, beta, residual, mean, inv_std, y);
  if (x.count() == 0) return;
  const std::int64_t c = x.c, members = c / shape.groups;
  const PictureChunks chunks(x);
  Scratch scratch(cpu, kernel,
                  2 * Scratch::bytes<double>(chunks.count * c) + Scratch::bytes<float>(chunks.count * c) +
                      3 * Scratch::bytes<float>(x.n * c));
  double* chunk_mean = scratch.take<double>(chunks.count * c);
  double* chunk_m2 = scratch.take<double>(chunks.count * c);
  float* shift = scratch.take<float>(chunks.count * c);
  float* means = scratch.take<float>(x.n * c);  // of every picture and channel, as are the next two
  float* scale = scratch.take<float>(x.n * c);
  float* offset = scratch.take<float>(x.n * c);

  const float *px = data_as<float>(x), *pr = data_as<float>(residual);
  chunks.for_each(false, [&](std::int64_t k) {
    cpu::chunk_statistics(px + chunks.begin(k) * x.pixel_stride, chunks.length(k), x.pixel_stride, c, shift + k * c,
                          chunk_mean + k * c, chunk_m2 + k * c);
  });

  const float *pg = data_as<float>(gamma), *pb = data_as<float>(beta);
  float *pm = data_as<float>(mean), *ps = data_as<float>(inv_std), *py = data_as<float>(y);
  const double values = static_cast<double>(chunks.pixels * members);
  parallel_for(
      x.n * shape.groups, std::max<std::int64_t>(1, 4096 / (members * chunks.per_picture)),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t q = begin; q < end; ++q) {
          const std::int64_t n = q / shape.groups, first = q % shape.groups * members;
          const auto over_parts = [&](const auto& body) {
            for (std::int64_t k = n * chunks.per_picture; k < (n + 1) * chunks.per_picture; ++k)
              for (std::int64_t i = first; i < first + members; ++i)
                body(static_cast<double>(chunks.length(k)), chunk_mean[k * c + i], chunk_m2[k * c + i]);
          };
          double mu = 0.0, m2 = 0.0;
          over_parts([&](double count, double m, double) { mu += count * m; });
          mu /= values;
          over_parts([&](double count, double m, double spread) { m2 += spread + count * (m - mu) * (m - mu); });
          const double var = m2 > 0.0 ? m2 / values : m2 * 0.0;  // rounding below zero; NaN stays
          const double inverse = 1.0 / std::sqrt(var + static_cast<double>(shape.eps));
          pm[q] = static_cast<float>(mu);
          ps[q] = static_cast<float>(inverse);
          for (std::int64_t i = first; i < first + members; ++i) {
            const double gain = static_cast<double>(pg[i]) * inverse;
            means[n * c + i] = pm[q];
            scale[n * c + i] = static_cast<float>(gain);
            // The mean lost bits when it became a float; the offset gives them back.
            offset[n * c + i] =
                static_cast<float>(static_cast<double>(pb[i]) + (static_cast<double>(pm[q]) - mu) * gain);
          }
        }
      });

  with_flags(shape.relu, pr != nullptr, [&](auto relu, auto adds) {
    chunks.for_each(true, [&](std::int64_t k) {
      const std::int64_t at = chunks.picture(k) * c;
      for (std::int64_t p = chunks.begin(k); p < chunks.begin(k) + chunks.length(k); ++p)
        normalise_row<relu.value, adds.value>(px + p * x.pixel_stride,
                                              adds.value ? pr + p * residual.pixel_stride : nullptr, c, means + at,
                                              scale + at, offset + at, py + p * y.pixel_stride);
    });
  });
}

void group_norm_backward(const Cpu& cpu, const GroupNormShape& shape, ConstView x, ConstView y, ConstView dy,
                         ConstView gamma, ConstView mean, ConstView inv_std, View dx, View dgamma, View dbeta,
                         View d_residual) {
  const char* kernel = "group_norm_backward";
  require_view(kernel, "x", x);
  require_group_norm_backward(kernel, shape, x, y, dy, gamma, mean, inv_std, dx, dgamma, dbeta, d_residual);
  const std::int64_t c = x.c, members = c / shape.groups;
  float *pdg = data_as<float>(dgamma), *pdb = data_as<float>(dbeta);
  if (x.count() == 0) {
    std::fill_n(pdg, c, 0.0f);
    std::fill_n(pdb, c, 0.0f);
    return;
  }
  const PictureChunks chunks(x);
  Scratch scratch(cpu, kernel, 2 * Scratch::bytes<double>(chunks.count * c) + 4 * Scratch::bytes<float>(x.n * c));
  double* sums = scratch.take<double>(chunks.count * c);    // of g
  double* scaled = scratch.take<double>(chunks.count * c);  // of g (x - mean)
  // Of every picture and channel: dx = from_g * g + (from_x * (x - mean) + constant)
  float* means = scratch.take<float>(x.n * c);
  float* from_g = scratch.take<float>(x.n * c);
  float* from_x = scratch.take<float>(x.n * c);
  float* constant = scratch.take<float>(x.n * c);
  const float *pm = data_as<float>(mean), *ps = data_as<float>(inv_std), *pg = data_as<float>(gamma);
  for (std::int64_t i = 0; i < x.n * c; ++i) means[i] = pm[i / c * shape.groups + i % c / members];

  const float *px = data_as<float>(x), *py = shape.relu ? data_as<float>(y) : nullptr, *pdy = data_as<float>(dy);
  float *pdx = data_as<float>(dx), *pr = data_as<float>(d_residual);
  with_flags(shape.relu, pr != nullptr, [&](auto relu, auto store) {
    chunks.for_each(false, [&](std::int64_t k) {
      std::fill_n(sums + k * c, c, 0.0);
      std::fill_n(scaled + k * c, c, 0.0);
      const auto run = [&](std::int64_t p, auto count) {
        add_gradient_sums<relu.value, store.value, count.value>(
            px + p * x.pixel_stride, x.pixel_stride, relu.value ? py + p * y.pixel_stride : nullptr, y.pixel_stride,
            pdy + p * dy.pixel_stride, dy.pixel_stride, store.value ? pr + p * d_residual.pixel_stride : nullptr,
            d_residual.pixel_stride, c, means + chunks.picture(k) * c, sums + k * c, scaled + k * c);
      };
      std::int64_t p = chunks.begin(k);
      const std::int64_t last = p + chunks.length(k);
      for (; p + 4 <= last; p += 4) run(p, std::integral_constant<int, 4>{});
      for (; p < last; ++p) run(p, std::integral_constant<int, 1>{});
    });
  });

  // The chunks of a picture, in its first one's place.
  parallel_for(x.n, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      double *s = sums + n * chunks.per_picture * c, *q = scaled + n * chunks.per_picture * c;
      for (std::int64_t k = 1; k < chunks.per_picture; ++k)
        for (std::int64_t i = 0; i < c; ++i) {
          s[i] += s[k * c + i];
          q[i] += q[k * c + i];
        }
      const double values = static_cast<double>(chunks.pixels * members);
      for (std::int64_t g = 0; g < shape.groups; ++g) {
        const double inverse = static_cast<double>(ps[n * shape.groups + g]);
        double a = 0.0, b = 0.0;
        for (std::int64_t i = g * members; i < (g + 1) * members; ++i) {
          q[i] *= inverse;
          a += static_cast<double>(pg[i]) * s[i];
          b += static_cast<double>(pg[i]) * q[i];
        }
        for (std::int64_t i = g * members; i < (g + 1) * members; ++i) {
          from_g[n * c + i] = static_cast<float>(static_cast<double>(pg[i]) * inverse);
          from_x[n * c + i] = static_cast<float>(-inverse * inverse * b / values);
          constant[n * c + i] = static_cast<float>(-inverse * a / values);
        }
      }
    }
  });
  for (std::int64_t i = 0; i < c; ++i) {
    double of_g = 0.0, of_scaled = 0.0;
    for (std::int64_t n = 0; n < x.n; ++n) {
      of_g += sums[n * chunks.per_picture * c + i];
      of_scaled += scaled[n * chunks.per_picture * c + i];
    }
    pdb[i] = static_cast<float>(of_g);
    pdg[i] = static_cast<float>(of_scaled);
  }

  // g once more, or as the first sweep left it in d_residual.
  const bool again = shape.relu && pr == nullptr;
  const float* gradient = pr != nullptr ? pr : pdy;
  const std::int64_t gradient_stride = pr != nullptr ? d_residual.pixel_stride : dy.pixel_stride;
  with_flags(again, false, [&](auto relu, auto) {
    chunks.for_each(true, [&](std::int64_t k) {
      const std::int64_t at = chunks.picture(k) * c;
      const float *m = means + at, *fg = from_g + at, *fx = from_x + at, *rest = constant + at;
      for (std::int64_t p = chunks.begin(k); p < chunks.begin(k) + chunks.length(k); ++p) {
        const float *vx = px + p * x.pixel_stride, *g = gradient + p * gradient_stride,
                    *sign = relu.value ? py + p * y.pixel_stride : nullptr;
        float* to = pdx + p * dx.pixel_stride;
#pragma omp simd
        for (std::int64_t i = 0; i < c; ++i)
          to[i] = fg[i] * through<relu.value>(relu.value ? sign[i] : 0.0f, g[i]) + (fx[i] * (vx[i] - m[i]) + rest[i]);
      }
    });
  });
}

}  // namespace gf
