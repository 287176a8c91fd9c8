// Batch normalisation's backward on the GPU (contract: kernels/batch_norm.h). With g = dy * act'(.):
//
//   dbeta = sum g,   dgamma = sum g x^,   x^ = (x - mean) * inv_std
//   dx = gamma inv_std (g - mean(g) - x^ mean(g x^))   in training, gamma inv_std g otherwise
//
// Memory traffic, b bytes an element (4, bf16: 2): x, y and dy twice, dx once. Without an activation y is not read;
// prelu reads the residual, where there was one, in its place, and works the sum z before the activation from it and x.
// With d_residual the first sweep stores g there and the second reads it instead of dy and y: 5 reads, 2 writes. In
// evaluation the second sweep does not read x (but for prelu's z). Floor: those bytes over the memory's bandwidth, 7 *
// b * n*h*w*c in training with an activation; less where the tensors stay in the second-level cache, whose freshest
// part the second sweep reads first.
//
// Three kernels: the sums of every chunk of pixels (threads add short runs, then pairwise over the block), the chunks
// of a channel in double with the factors of dx, and dx. A slope of prelu that all channels share takes a fourth, one
// block that adds the channels.
#include "kernels/batch_norm_checks.h"
#include "kernels/cuda/batch_norm_parts.h"
#include "kernels/cuda/block_sum.h"
#include "kernels/elementwise.h"

namespace gf {
namespace {

using namespace norm;

// Of one chunk and channel: sum g, sum g (x - mean).
struct alignas(8) Sums {
  float g, gd;
};

// What act'(.) is read from: nothing (dy is g already), the output, or the sum z before prelu.
enum class Sign { none, output, sum };

// How z and prelu's slope come about; looked at for Sign::sum only.
struct PreActivation {
  const float *inv_std, *gamma, *beta;
  Slopes slopes;
};

template <class T>
struct Gradient {
  Plane<const T> dy, other;  // the other: y or the residual
  Activation act;
  PreActivation before;
};

// What prelu has of a thread's channels.
template <Sign kSign, int kWidth>
struct Channels {
  __device__ Channels(const PreActivation&, int) {}
};
template <int kWidth>
struct Channels<Sign::sum, kWidth> {
  float beta[kWidth];
  Slopes::Pack<kWidth> slopes;

  __device__ Channels(const PreActivation& p, int channel) : slopes(p.slopes.of_channels<kWidth>(channel)) {
    for (int j = 0; j < kWidth; ++j) beta[j] = p.beta[channel + j];
  }
};

// g = dy * act'(.) of a run of pixels; with prelu dy * min(z, 0) is added to d_slope. scaled(k, j): (x - mean) * gamma
// * inv_std of pixel k, for prelu's z.
template <Sign kSign, int kPixels, int kWidth, class T, class Scaled>
__device__ void load_gradients(const Gradient<T>& from, const Channels<kSign, kWidth>& channels, const Scaled& scaled,
                               std::int64_t pixel, int step, int channel, float (&g)[kPixels][kWidth],
                               float (&d_slope)[kWidth]) {
  load_run(from.dy, pixel, step, channel, g);
  if constexpr (kSign == Sign::none) return;
  float other[kPixels][kWidth];
  load_run(from.other, pixel, step, channel, other);
  for (int k = 0; k < kPixels; ++k) {
    for (int j = 0; j < kWidth; ++j) {
      if constexpr (kSign == Sign::output) g[k][j] = from.act.backward(other[k][j], g[k][j]);
      if constexpr (kSign == Sign::sum) {
        const float z = scaled(k, j) + channels.beta[j] + other[k][j];
        if (z > 0.0f) continue;
        d_slope[j] += g[k][j] * z;
        g[k][j] *= channels.slopes.slope[j];
      }
    }
  }
}

// parts, slope_parts: [chunk][c]; the latter with prelu. g is stored where `stored` has data.
template <class T, int kWidth, Sign kSign>
__global__ void gf_batch_norm_sums_kernel(Plane<const T> x, Gradient<T> gradient, Plane<T> stored, int c, Cut cut,
                                          const float* saved_mean, Sums* parts, float* slope_parts) {
  constexpr int kSums = kSign == Sign::sum ? 3 : 2;
  GF_SHARED(float, scratch, kSums* kWidth* kThreads);
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  const int chunk = static_cast<int>(blockIdx.y), strips = static_cast<int>(blockDim.y);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float sums[kSums * kWidth] = {};
  if (channel < c) {
    float mean[kWidth];
    for (int j = 0; j < kWidth; ++j) mean[j] = saved_mean[channel + j];
    const Channels<kSign, kWidth> channels(gradient.before, channel);
    float scale[kWidth] = {};
    if constexpr (kSign == Sign::sum) {
      const PreActivation& before = gradient.before;
      for (int j = 0; j < kWidth; ++j) scale[j] = before.gamma[channel + j] * before.inv_std[channel + j];
    }
    walk_strip<kRun<kWidth, 3>>(cut.length(chunk), [&](auto pixels, int p) {
      float vx[pixels.value][kWidth], g[pixels.value][kWidth], d_slope[kWidth] = {};
      load_run(x, first + p, strips, channel, vx);
      const auto scaled = [&](int k, int j) { return (vx[k][j] - mean[j]) * scale[j]; };
      load_gradients<kSign>(gradient, channels, scaled, first + p, strips, channel, g, d_slope);
      for (int j = 0; j < kWidth; ++j) {
        float s = 0, q = 0;  // short sums added up lose fewer digits than one long one
        for (int k = 0; k < pixels.value; ++k) {
          s += g[k][j];
          q += g[k][j] * (vx[k][j] - mean[j]);
        }
        sums[j] += s;
        sums[kWidth + j] += q;
        if constexpr (kSign == Sign::sum) sums[2 * kWidth + j] += d_slope[j];
      }
      if (stored.data == nullptr) return;
      for (int k = 0; k < pixels.value; ++k) store_elements<kWidth>(stored.at(first + p + k * strips, channel), g[k]);
    });
  }
  sum_strips(sums, scratch);
  if (threadIdx.y != 0 || channel >= c) return;
  for (int j = 0; j < kWidth; ++j) {
    const std::int64_t at = std::int64_t{chunk} * c + channel + j;
    parts[at] = {sums[j], sums[kWidth + j]};
    if constexpr (kSign == Sign::sum) slope_parts[at] = sums[2 * kWidth + j];
  }
}

struct Finish {
  bool training;
  const float *gamma, *mean, *inv_std;
  float *dgamma, *dbeta;
  // With prelu: parts of the slope's gradient, and where it goes, one number a channel; or where those wait to be
  // added.
  const float* slope_parts;
  float* d_slope;
  double* slope_sums;
};

// Thread (x,y): channel x, chunks y, y + blockDim.y, ... factors of every channel: dx = x g + y (x - z) + w.
__global__ void gf_batch_norm_factors_kernel(const Sums* parts, int c, Cut cut, Finish f, float4* factors) {
  GF_SHARED(double, scratch, 3 * kThreads);
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  double sums[3] = {};
  for (int chunk = static_cast<int>(threadIdx.y); channel < c && chunk < cut.chunks; chunk += blockDim.y) {
    const Sums part = parts[std::int64_t{chunk} * c + channel];
    sums[0] += static_cast<double>(part.g);
    sums[1] += static_cast<double>(part.gd);
    if (f.slope_parts != nullptr) sums[2] += static_cast<double>(f.slope_parts[std::int64_t{chunk} * c + channel]);
  }
  sum_strips(sums, scratch);
  if (threadIdx.y != 0 || channel >= c) return;
  const double n = cut.pixels, inv_std = f.inv_std[channel], gain = f.gamma[channel] * inv_std;
  f.dbeta[channel] = static_cast<float>(sums[0]);
  f.dgamma[channel] = static_cast<float>(sums[1] * inv_std);
  if (f.slope_sums != nullptr) {
    f.slope_sums[channel] = sums[2];
  } else if (f.slope_parts != nullptr) {
    f.d_slope[channel] = static_cast<float>(sums[2]);
  }
  const float from_g = static_cast<float>(gain);
  factors[channel] = f.training ? make_float4(from_g, static_cast<float>(-gain * inv_std * inv_std * sums[1] / n),
                                              f.mean[channel], static_cast<float>(-gain * sums[0] / n))
                                : make_float4(from_g, 0.0f, f.mean[channel], 0.0f);
}

// One block: the channels of a slope that all share.
__global__ void gf_batch_norm_slope_kernel(const double* slope_sums, int c, float* d_slope) {
  GF_SHARED(double, scratch, kThreads / 32);
  double sum = 0.0;
  for (int i = static_cast<int>(threadIdx.x); i < c; i += kThreads) sum += slope_sums[i];
  sum = block_sum(sum, scratch);
  if (threadIdx.x == 0) *d_slope = static_cast<float>(sum);
}

// dx, from the last chunk to the first. Where dx does not depend on x but through g, x counts as zero: it is null, or
// `through_x` is false.
template <class T, int kWidth, Sign kSign>
__global__ void gf_batch_norm_dx_kernel(Plane<const T> x, Gradient<T> gradient, Plane<T> dx, int c, Cut cut,
                                        const float4* factors, bool through_x) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  if (channel >= c) return;
  const int chunk = static_cast<int>(gridDim.y - 1 - blockIdx.y), strips = static_cast<int>(blockDim.y);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float4 f[kWidth];
  for (int j = 0; j < kWidth; ++j) f[j] = factors[channel + j];
  const Channels<kSign, kWidth> channels(gradient.before, channel);
  walk_strip<kRun<kWidth, 3>>(cut.length(chunk), [&](auto pixels, int p) {
    float vx[pixels.value][kWidth], g[pixels.value][kWidth], d_slope[kWidth] = {};
    load_run(x, first + p, strips, channel, vx);
    const auto scaled = [&](int k, int j) { return (vx[k][j] - f[j].z) * f[j].x; };
    load_gradients<kSign>(gradient, channels, scaled, first + p, strips, channel, g, d_slope);
    for (int k = 0; k < pixels.value; ++k) {
      for (int j = 0; j < kWidth; ++j) {
        const float from_x = kSign != Sign::sum || through_x ? vx[k][j] : 0.0f;
        g[k][j] = f[j].x * g[k][j] + (f[j].y * (from_x - f[j].z) + f[j].w);
      }
      store_elements<kWidth>(dx.at(first + p + k * strips, channel), g[k]);
    }
  });
}

// One call's tensors. other.data is null where it is not read, stored.data where g is not kept.
struct Tensors {
  ConstView x, other, dy;
  View dx, stored;
};

template <class T, int kWidth, Sign kSign>
void run(const Gpu& gpu, const Tensors& t, const Activation& act, const PreActivation& before, Finish finish) {
  const int c = static_cast<int>(t.x.c);
  const Cut cut(t.x.c / kWidth, t.x.pixels(), kSumBlocks), dx_cut(t.x.c / kWidth, t.x.pixels(), kMapBlocks);
  static_assert(sizeof(float4) == 2 * sizeof(Sums) && sizeof(float4) == 2 * sizeof(double));
  constexpr bool kPrelu = kSign == Sign::sum;
  const std::int64_t count = cut.chunks * t.x.c, of_sums = blocks_for(count, 2), of_doubles = blocks_for(c, 2);
  float4* factors = take_workspace<float4>(gpu, "batch_norm_backward",
                                           c + of_sums + (kPrelu ? of_doubles + blocks_for(count, 4) : 0));
  Sums* parts = reinterpret_cast<Sums*>(factors + c);
  float* slope_parts = kPrelu ? reinterpret_cast<float*>(factors + c + of_sums + of_doubles) : nullptr;
  finish.slope_parts = slope_parts;
  if (kPrelu && before.slopes.step == 0) finish.slope_sums = reinterpret_cast<double*>(factors + c + of_sums);
  const Gradient<T> gradient{plane<T>(t.dy), plane<T>(t.other), act, before};
  launch(gpu, gf_batch_norm_sums_kernel<T, kWidth, kSign>, cut.grid(), cut.block(), 0, plane<T>(t.x), gradient,
         plane<T>(t.stored), c, cut, finish.mean, parts, slope_parts);
  const LaunchSize finishers = finish_block(cut, c);
  launch(gpu, gf_batch_norm_factors_kernel, blocks_for(c, finishers.x), finishers, 0, parts, c, cut, finish, factors);
  if (finish.slope_sums != nullptr)
    launch(gpu, gf_batch_norm_slope_kernel, 1, kThreads, 0, static_cast<const double*>(finish.slope_sums), c,
           finish.d_slope);
  const auto dx_from = [&](auto sign, const Gradient<T>& g) {
    const bool reads_x = finish.training || sign.value == Sign::sum;
    launch_independent(gpu, gf_batch_norm_dx_kernel<T, kWidth, sign.value>, dx_cut.grid(), dx_cut.block(),
                       plane<T>(reads_x ? t.x : ConstView{}), g, plane<T>(t.dx), c, dx_cut,
                       static_cast<const float4*>(factors), finish.training);
  };
  if (t.stored.data == nullptr) return dx_from(std::integral_constant<Sign, kSign>{}, gradient);
  dx_from(std::integral_constant<Sign, Sign::none>{}, {plane<T>(ConstView(t.stored)), {}, act, before});
}

}  // namespace

void batch_norm_backward(const Gpu& gpu, const BatchNormShape& shape, bool training, ConstView x, ConstView y,
                         ConstView dy, ConstView gamma, ConstView saved_mean, ConstView saved_inv_std, View dx,
                         View dgamma, View dbeta, View d_residual, const PreluBackward& prelu) {
  const char* kernel = "batch_norm_backward";
  require_float(kernel, "x", x);
  require_norm_backward(kernel, shape, x, y, dy, gamma, saved_mean, saved_inv_std, dx, dgamma, dbeta, d_residual,
                        prelu);
  check_pixels(kernel, x);
  const bool learns = shape.act == NormActivation::prelu;
  if (x.count() == 0) {
    fill(gpu, 0.0f, dgamma);
    fill(gpu, 0.0f, dbeta);
    if (learns) fill(gpu, 0.0f, prelu.d_slope);
    return;
  }
  const Tensors t{x, learns ? prelu.residual : reads_output(shape.act) ? y : ConstView{}, dy, dx, d_residual};
  const PreActivation before{data_as<float>(saved_inv_std), data_as<float>(gamma), data_as<float>(prelu.beta),
                             Slopes(prelu.slope)};
  const Finish finish{training,
                      data_as<float>(gamma),
                      data_as<float>(saved_mean),
                      data_as<float>(saved_inv_std),
                      data_as<float>(dgamma),
                      data_as<float>(dbeta),
                      nullptr,
                      data_as<float>(prelu.d_slope),
                      nullptr};
  const auto packs = [](const ConstView& v) { return v.data == nullptr || takes_packs(v); };
  with_element(x.dtype, [&](auto element) {
    using T = decltype(element);
    const auto with_width = [&](auto width) {
      const auto with_sign = [&](auto sign) {
        run<T, width.value, sign.value>(gpu, t, Activation(shape), before, finish);
      };
      if (learns) return with_sign(std::integral_constant<Sign, Sign::sum>{});
      if (reads_output(shape.act)) return with_sign(std::integral_constant<Sign, Sign::output>{});
      with_sign(std::integral_constant<Sign, Sign::none>{});
    };
    if (packs(x) && packs(t.other) && packs(dy) && packs(dx) && packs(d_residual))
      return with_width(std::integral_constant<int, kPackWidth<T>>{});
    with_width(std::integral_constant<int, 1>{});
  });
}

}  // namespace gf
