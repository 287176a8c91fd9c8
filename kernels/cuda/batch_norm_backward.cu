// Batch normalisation's backward on the GPU (contract: kernels/batch_norm.h). With g = dy * act'(.):
//
//   dbeta = sum g,   dgamma = sum g x^,   x^ = (x - mean) * inv_std
//   dx = gamma inv_std (g - mean(g) - x^ mean(g x^))   in training, gamma inv_std g otherwise
//
// Memory traffic, b bytes an element (4, bf16: 2): x, y and dy twice, dx once. Without an activation y is not read.
// With d_residual the first sweep stores g there and the second reads it instead of dy and y: 5 reads, 2 writes. In
// evaluation the second sweep does not read x. Floor: those bytes over the memory's bandwidth, 7 * b * n*h*w*c in
// training with an activation; less where the tensors stay in the second-level cache, whose freshest part the second
// sweep reads first.
//
// Three kernels: the sums of every chunk of pixels (threads add short runs, then pairwise over the block), the chunks
// of a channel in double with the factors of dx, and dx.
#include "kernels/batch_norm_checks.h"
#include "kernels/cuda/batch_norm_parts.h"
#include "kernels/elementwise.h"

namespace gf {
namespace {

using namespace norm;

// Of one chunk and channel: sum g, sum g (x - mean).
struct alignas(8) Sums {
  float g, gd;
};

// g = dy * act'(.) of a run of pixels; y is read where there is an activation.
template <bool kReadsY, int kPixels, int kWidth, class T>
__device__ void load_gradients(const Plane<const T>& y, const Plane<const T>& dy, std::int64_t pixel, int step,
                               int channel, const Activation& act, float (&g)[kPixels][kWidth]) {
  load_run(dy, pixel, step, channel, g);
  if constexpr (kReadsY) {
    float out[kPixels][kWidth];
    load_run(y, pixel, step, channel, out);
    for (int k = 0; k < kPixels; ++k)
      for (int j = 0; j < kWidth; ++j) g[k][j] = act.backward(out[k][j], g[k][j]);
  }
}

// parts: [chunk][c]. g is stored where `stored` has data.
template <class T, int kWidth, bool kReadsY>
__global__ void gf_batch_norm_sums_kernel(Plane<const T> x, Plane<const T> y, Plane<const T> dy, Plane<T> stored, int c,
                                          Cut cut, const float* saved_mean, Activation act, Sums* parts) {
  GF_SHARED(float, scratch, 2 * kWidth * kThreads);
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  const int chunk = static_cast<int>(blockIdx.y), strips = static_cast<int>(blockDim.y);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float sums[2 * kWidth] = {};
  if (channel < c) {
    float mean[kWidth];
    for (int j = 0; j < kWidth; ++j) mean[j] = saved_mean[channel + j];
    walk_strip<kRun<kWidth, 3>>(cut.length(chunk), [&](auto pixels, int p) {
      float vx[pixels.value][kWidth], g[pixels.value][kWidth];
      load_run(x, first + p, strips, channel, vx);
      load_gradients<kReadsY>(y, dy, first + p, strips, channel, act, g);
      for (int j = 0; j < kWidth; ++j) {
        float s = 0, q = 0;  // short sums added up lose fewer digits than one long one
        for (int k = 0; k < pixels.value; ++k) {
          s += g[k][j];
          q += g[k][j] * (vx[k][j] - mean[j]);
        }
        sums[j] += s;
        sums[kWidth + j] += q;
      }
      if (stored.data == nullptr) return;
      for (int k = 0; k < pixels.value; ++k) store_elements<kWidth>(stored.at(first + p + k * strips, channel), g[k]);
    });
  }
  sum_strips(sums, scratch);
  if (threadIdx.y != 0 || channel >= c) return;
  for (int j = 0; j < kWidth; ++j) parts[std::int64_t{chunk} * c + channel + j] = {sums[j], sums[kWidth + j]};
}

struct Finish {
  bool training;
  const float *gamma, *mean, *inv_std;
  float *dgamma, *dbeta;
};

// Thread (x,y): channel x, chunks y, y + blockDim.y, ... factors of every channel: dx = x g + y (x - z) + w.
__global__ void gf_batch_norm_factors_kernel(const Sums* parts, int c, Cut cut, Finish f, float4* factors) {
  GF_SHARED(double, scratch, 2 * kThreads);
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  double sums[2] = {};
  for (int chunk = static_cast<int>(threadIdx.y); channel < c && chunk < cut.chunks; chunk += blockDim.y) {
    const Sums part = parts[std::int64_t{chunk} * c + channel];
    sums[0] += static_cast<double>(part.g);
    sums[1] += static_cast<double>(part.gd);
  }
  sum_strips(sums, scratch);
  if (threadIdx.y != 0 || channel >= c) return;
  const double n = cut.pixels, inv_std = f.inv_std[channel], gain = f.gamma[channel] * inv_std;
  f.dbeta[channel] = static_cast<float>(sums[0]);
  f.dgamma[channel] = static_cast<float>(sums[1] * inv_std);
  const float from_g = static_cast<float>(gain);
  factors[channel] = f.training ? make_float4(from_g, static_cast<float>(-gain * inv_std * inv_std * sums[1] / n),
                                              f.mean[channel], static_cast<float>(-gain * sums[0] / n))
                                : make_float4(from_g, 0.0f, 0.0f, 0.0f);
}

// dx, from the last chunk to the first. x is null where dx does not depend on it.
template <class T, int kWidth, bool kReadsY>
__global__ void gf_batch_norm_dx_kernel(Plane<const T> x, Plane<const T> y, Plane<const T> dy, Plane<T> dx, int c,
                                        Cut cut, const float4* factors, Activation act) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  if (channel >= c) return;
  const int chunk = static_cast<int>(gridDim.y - 1 - blockIdx.y), strips = static_cast<int>(blockDim.y);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float4 f[kWidth];
  for (int j = 0; j < kWidth; ++j) f[j] = factors[channel + j];
  walk_strip<kRun<kWidth, 3>>(cut.length(chunk), [&](auto pixels, int p) {
    float vx[pixels.value][kWidth], g[pixels.value][kWidth];
    load_run(x, first + p, strips, channel, vx);
    load_gradients<kReadsY>(y, dy, first + p, strips, channel, act, g);
    for (int k = 0; k < pixels.value; ++k) {
      for (int j = 0; j < kWidth; ++j) {
        g[k][j] = f[j].x * g[k][j] + (f[j].y * (vx[k][j] - f[j].z) + f[j].w);
      }
      store_elements<kWidth>(dx.at(first + p + k * strips, channel), g[k]);
    }
  });
}

// One call's tensors. y.data is null where it is not read, stored.data where g is not kept.
struct Tensors {
  ConstView x, y, dy;
  View dx, stored;
};

template <class T, int kWidth, bool kReadsY>
void run(const Gpu& gpu, const Tensors& t, const Activation& act, const Finish& finish) {
  const int c = static_cast<int>(t.x.c);
  const Cut cut(t.x.c / kWidth, t.x.pixels(), kSumBlocks), dx_cut(t.x.c / kWidth, t.x.pixels(), kMapBlocks);
  static_assert(sizeof(float4) == 2 * sizeof(Sums));
  float4* factors = take_workspace<float4>(gpu, "batch_norm_backward", c + blocks_for(cut.chunks * t.x.c, 2));
  Sums* parts = reinterpret_cast<Sums*>(factors + c);
  launch(gpu, gf_batch_norm_sums_kernel<T, kWidth, kReadsY>, cut.grid(), cut.block(), 0, plane<T>(t.x), plane<T>(t.y),
         plane<T>(t.dy), plane<T>(t.stored), c, cut, finish.mean, act, parts);
  const LaunchSize finishers = finish_block(cut, c);
  launch(gpu, gf_batch_norm_factors_kernel, blocks_for(c, finishers.x), finishers, 0, parts, c, cut, finish, factors);
  const Plane<const T> x = plane<T>(finish.training ? t.x : ConstView{});
  const auto dx_from = [&](auto reads_y, const Plane<const T>& y, const Plane<const T>& dy) {
    launch_independent(gpu, gf_batch_norm_dx_kernel<T, kWidth, reads_y.value>, dx_cut.grid(), dx_cut.block(), x, y, dy,
                       plane<T>(t.dx), c, dx_cut, static_cast<const float4*>(factors), act);
  };
  if (t.stored.data != nullptr) return dx_from(std::false_type{}, plane<T>(ConstView{}), plane<T>(ConstView(t.stored)));
  dx_from(std::bool_constant<kReadsY>{}, plane<T>(t.y), plane<T>(t.dy));
}

}  // namespace

void batch_norm_backward(const Gpu& gpu, const BatchNormShape& shape, bool training, ConstView x, ConstView y,
                         ConstView dy, ConstView gamma, ConstView saved_mean, ConstView saved_inv_std, View dx,
                         View dgamma, View dbeta, View d_residual) {
  const char* kernel = "batch_norm_backward";
  require_float(kernel, "x", x);
  require_norm_backward(kernel, shape, x, y, dy, gamma, saved_mean, saved_inv_std, dx, dgamma, dbeta, d_residual);
  check_pixels(kernel, x);
  if (x.count() == 0) {
    fill(gpu, 0.0f, dgamma);
    fill(gpu, 0.0f, dbeta);
    return;
  }
  const bool reads_y = shape.act != NormActivation::none;
  const Tensors t{x, reads_y ? y : ConstView{}, dy, dx, d_residual};
  const Finish finish{training,
                      data_as<float>(gamma),
                      data_as<float>(saved_mean),
                      data_as<float>(saved_inv_std),
                      data_as<float>(dgamma),
                      data_as<float>(dbeta)};
  const auto packs = [](const ConstView& v) { return v.data == nullptr || takes_packs(v); };
  with_element(x.dtype, [&](auto element) {
    using T = decltype(element);
    const auto with_width = [&](auto width) {
      if (reads_y) return run<T, width.value, true>(gpu, t, Activation(shape), finish);
      run<T, width.value, false>(gpu, t, Activation(shape), finish);
    };
    if (packs(x) && packs(t.y) && packs(dy) && packs(dx) && packs(d_residual))
      return with_width(std::integral_constant<int, kPackWidth<T>>{});
    with_width(std::integral_constant<int, 1>{});
  });
}

}  // namespace gf
