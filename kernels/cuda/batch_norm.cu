// Batch normalisation forward on the GPU (contract: kernels/batch_norm.h).
//
//   y = act(gamma * (x - mean) * inv_std + beta + residual),   inv_std = 1 / sqrt(var + eps)
//
// Memory traffic, b bytes an element (4, bf16: 2). Training: x twice, y once, a residual once more; the partial
// statistics are 16 bytes a channel and block, a few hundredths of x at most. Evaluation: x once, y once. Floor: those
// bytes over the memory's bandwidth, 3 * b * n*h*w*c in training; less where x stays in the second-level cache, whose
// freshest part the second sweep reads first.
//
// Three kernels in training. Moments: of every chunk of pixels (norm_moments.h). Statistics: the chunks of a channel,
// in double; the running statistics; factors for the last kernel, which writes y.
#include "kernels/batch_norm_checks.h"
#include "kernels/cuda/batch_norm_parts.h"
#include "kernels/cuda/norm_moments.h"

namespace gf {
namespace {

using namespace norm;

// parts: [chunk][c]
template <class T, int kWidth>
__global__ void gf_batch_norm_moments_kernel(Plane<const T> x, int c, Cut cut, Moments* parts) {
  GF_SHARED(float, means, kThreads* kWidth);
  GF_SHARED(float, squares, kThreads* kWidth);
  chunk_moments<kWidth>(x, c, cut, means, squares, parts);
}

struct Update {
  double eps, momentum;
  const float *gamma, *beta;
  float *running_mean, *running_var, *saved_mean, *saved_inv_std;
};

// Thread (x,y): channel x, chunks y, y + blockDim.y, ... factors: mean, scale and offset of every channel.
__global__ void gf_batch_norm_statistics_kernel(const Moments* parts, int c, Cut cut, Update u, float4* factors) {
  GF_SHARED(double, scratch, 2 * kThreads);
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const double origin = channel < c ? parts[channel].mean : 0.0;
  double sums[2] = {};  // of the distance from origin, and of its square
  for (int chunk = static_cast<int>(threadIdx.y); channel < c && chunk < cut.chunks; chunk += blockDim.y) {
    const Moments m = load16<Moments>(parts + std::int64_t{chunk} * c + channel);
    const double d = m.mean - origin, n = cut.length(chunk);
    sums[0] += n * d;
    sums[1] += m.m2 + n * d * d;
  }
  sum_strips(sums, scratch);
  if (threadIdx.y != 0 || channel >= c) return;
  const double n = cut.pixels, unbiased = n > 1.0 ? n / (n - 1.0) : 1.0;
  const double mean = origin + sums[0] / n, m2 = sums[1] - sums[0] * sums[0] / n;
  const double var = m2 > 0.0 ? m2 / n : m2 * 0.0;  // rounding can leave a negative zero's worth; NaN stays
  const double inv_std = 1.0 / sqrt(var + u.eps), gain = static_cast<double>(u.gamma[channel]) * inv_std;
  const float rounded_mean = static_cast<float>(mean);
  // The mean lost bits when it became a float; the offset gives them back.
  const double offset = static_cast<double>(u.beta[channel]) + (static_cast<double>(rounded_mean) - mean) * gain;
  factors[channel] = make_float4(rounded_mean, static_cast<float>(gain), static_cast<float>(offset), 0.0f);
  u.saved_mean[channel] = rounded_mean;
  u.saved_inv_std[channel] = static_cast<float>(inv_std);
  float &rm = u.running_mean[channel], &rv = u.running_var[channel];
  rm = static_cast<float>((1.0 - u.momentum) * static_cast<double>(rm) + u.momentum * mean);
  rv = static_cast<float>((1.0 - u.momentum) * static_cast<double>(rv) + u.momentum * var * unbiased);
}

// Where mean, scale and offset of a channel come from.
struct BatchFactors {
  const float4* factors;

  __device__ float4 of(int channel) const { return factors[channel]; }
};
struct RunningFactors {
  const float *mean, *var, *gamma, *beta;
  float eps;

  __device__ float4 of(int channel) const {
    return make_float4(mean[channel], gamma[channel] / sqrtf(var[channel] + eps), beta[channel], 0.0f);
  }
};

// y = act((x - mean) * scale + offset + residual), from the last chunk to the first.
template <class T, int kWidth, class Factors, class Act>
__global__ void gf_batch_norm_apply_kernel(Plane<const T> x, Plane<const T> residual, Plane<T> y, int c, Cut cut,
                                           Factors factors, Act activation) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  if (channel >= c) return;
  const int chunk = static_cast<int>(gridDim.y - 1 - blockIdx.y), strips = static_cast<int>(blockDim.y);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float mean[kWidth], scale[kWidth], offset[kWidth];
  for (int j = 0; j < kWidth; ++j) {
    const float4 f = factors.of(channel + j);
    mean[j] = f.x;
    scale[j] = f.y;
    offset[j] = f.z;
  }
  const auto act = activation.template of_channels<kWidth>(channel);
  walk_strip<kRun<kWidth, 2>>(cut.length(chunk), [&](auto pixels, int p) {
    float v[pixels.value][kWidth], r[pixels.value][kWidth];
    load_run(x, first + p, strips, channel, v);
    load_run(residual, first + p, strips, channel, r);
    for (int k = 0; k < pixels.value; ++k) {
      for (int j = 0; j < kWidth; ++j) v[k][j] = act((v[k][j] - mean[j]) * scale[j] + offset[j] + r[k][j], j);
      store_elements<kWidth>(y.at(first + p + k * strips, channel), v[k]);
    }
  });
}

// Calls body with an element and the number of channels a thread takes, as an integral constant.
template <class Body>
void with_width(const ConstView& x, const ConstView& residual, const ConstView& y, const Body& body) {
  const bool packs = takes_packs(x) && takes_packs(y) && (residual.data == nullptr || takes_packs(residual));
  with_element(x.dtype, [&](auto element) {
    if (packs) return body(element, std::integral_constant<int, kPackWidth<decltype(element)>>{});
    body(element, std::integral_constant<int, 1>{});
  });
}

template <class T, int kWidth, class Factors>
void apply(const Gpu& gpu, const BatchNormShape& shape, const ConstView& x, const ConstView& residual,
           const ConstView& slope, const View& y, const Factors& factors) {
  const Cut cut(x.c / kWidth, x.pixels(), kMapBlocks);
  const auto with = [&](const auto& act) {
    launch_independent(gpu, gf_batch_norm_apply_kernel<T, kWidth, Factors, std::decay_t<decltype(act)>>, cut.grid(),
                       cut.block(), plane<T>(x), plane<T>(residual), plane<T>(y), static_cast<int>(x.c), cut, factors,
                       act);
  };
  if (shape.act == NormActivation::prelu) return with(Slopes(slope));
  with(Activation(shape));
}

}  // namespace

void batch_norm_train(const Gpu& gpu, const BatchNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                      ConstView residual, View running_mean, View running_var, View saved_mean, View saved_inv_std,
                      View y, ConstView slope) {
  const char* kernel = "batch_norm_train";
  require_float(kernel, "x", x);
  require_norm_forward(kernel, shape, x, gamma, beta, residual, running_mean, running_var, y, slope);
  require_vector(kernel, "saved_mean", saved_mean, x.c);
  require_vector(kernel, "saved_inv_std", saved_inv_std, x.c);
  check_pixels(kernel, x);
  if (x.count() == 0) return;
  const int c = static_cast<int>(x.c);
  const Update update{static_cast<double>(shape.eps), static_cast<double>(shape.momentum), data_as<float>(gamma),
                      data_as<float>(beta),           data_as<float>(running_mean),        data_as<float>(running_var),
                      data_as<float>(saved_mean),     data_as<float>(saved_inv_std)};
  with_width(x, residual, y, [&](auto element, auto width) {
    using T = decltype(element);
    constexpr int kWidth = width.value;
    const Cut cut(x.c / kWidth, x.pixels(), kSumBlocks);
    float4* factors = take_workspace<float4>(gpu, kernel, (1 + cut.chunks) * x.c);
    Moments* parts = reinterpret_cast<Moments*>(factors + c);
    launch(gpu, gf_batch_norm_moments_kernel<T, kWidth>, cut.grid(), cut.block(), 0, plane<T>(x), c, cut, parts);
    const LaunchSize finishers = finish_block(cut, c);
    launch(gpu, gf_batch_norm_statistics_kernel, blocks_for(c, finishers.x), finishers, 0, parts, c, cut, update,
           factors);
    apply<T, kWidth>(gpu, shape, x, residual, slope, y, BatchFactors{factors});
  });
}

void batch_norm_eval(const Gpu& gpu, const BatchNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                     ConstView residual, ConstView running_mean, ConstView running_var, View y, ConstView slope) {
  const char* kernel = "batch_norm_eval";
  require_float(kernel, "x", x);
  require_norm_forward(kernel, shape, x, gamma, beta, residual, running_mean, running_var, y, slope);
  check_pixels(kernel, x);
  if (x.count() == 0) return;
  const RunningFactors factors{data_as<float>(running_mean), data_as<float>(running_var), data_as<float>(gamma),
                               data_as<float>(beta), shape.eps};
  with_width(x, residual, y, [&](auto element, auto width) {
    apply<decltype(element), width.value>(gpu, shape, x, residual, slope, y, factors);
  });
}

}  // namespace gf
