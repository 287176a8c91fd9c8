// Layer norm on the GPU (contract: kernels/layer_norm.h). Of every pixel, over its c channels:
//
//   x^ = (x - mean) * inv_std,   y = gamma * x^ + beta
//   g = gamma * dy:   dx = inv_std * (g - mean(g) - x^ * mean(g x^)),   dgamma = sum_p dy x^,   dbeta = sum_p dy
//
// Memory traffic, b bytes an element (4, bf16: 2): forward x and y once, 2 * b; backward x and dy once and dx, 3 * b,
// and where gamma learns x and dy once more, 5 * b. Floor: those bytes over the memory's bandwidth.
//
// Up to kMaxRowChannels a pixel lies in the registers of a group of lanes (cuda/pixel_row.h), its mean taken off before
// it is squared. Beyond that (768 channels of a transformer; a convolution's kh*kw*in weights) a block takes a pixel
// and goes over it three times, all but the first time in the caches. The sums over pixels go by chunks, threads along
// the channels, pairwise over the block, and then over the chunks in double.
#include "kernels/layer_norm.h"

#include "kernels/cuda/batch_norm_parts.h"
#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/pixel_row.h"
#include "kernels/elementwise.h"
#include "kernels/layer_norm_checks.h"

namespace gf {
namespace {

// gamma and beta of a channel; both null: 1 and 0.
struct Affine {
  const float *gamma, *beta;

  __device__ float operator()(float hat, int channel) const {
    return gamma == nullptr ? hat : gamma[channel] * hat + beta[channel];
  }
  __device__ float gain(int channel) const { return gamma == nullptr ? 1.0f : gamma[channel]; }
};

// Where a pixel's statistics lie.
template <class Float>
struct PixelStatistics {
  Rows<Float> mean, inv_std;
};

template <class R, class T = typename R::Element>
__global__ void gf_layer_norm_kernel(PixelCut cut, float eps, Rows<const T> x, Affine affine,
                                     PixelStatistics<float> saved, Rows<T> y) {
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn);
    R row;
    row.load(cut, x.at(min(pixel, cut.pixels - 1)));
    const float count = static_cast<float>(cut.c);
    float sum = 0.0f, squares = 0.0f;
    row.each(cut, [&](float v, int) { sum += v; });
    const float mean = cut.sum(sum) / count;
    row.each(cut, [&](float& v, int) {
      v -= mean;
      squares += v * v;
    });
    const float inv_std = 1.0f / sqrtf(cut.sum(squares) / count + eps);
    row.each(cut, [&](float& v, int channel) { v = affine(v * inv_std, channel); });
    if (pixel >= cut.pixels) continue;
    row.store(cut, y.at(pixel));
    if (cut.lane() != 0) continue;
    *saved.mean.at(pixel) = mean;
    *saved.inv_std.at(pixel) = inv_std;
  }
}

// A block a pixel.
template <class T, int kWidth>
__global__ void gf_layer_norm_wide_kernel(float eps, Rows<const T> x, int c, Affine affine,
                                          PixelStatistics<float> saved, Rows<T> y) {
  GF_SHARED(float, scratch, kRowWarps);
  const T* from = x.at(blockIdx.x);
  T* to = y.at(blockIdx.x);
  const float count = static_cast<float>(c);
  float sum = 0.0f, squares = 0.0f;
  walk_channels<kWidth>(from, c, [&](const float(&v)[kWidth], int) {
    for (const float e : v) sum += e;
  });
  const float mean = block_sum(sum, scratch) / count;
  walk_channels<kWidth>(from, c, [&](const float(&v)[kWidth], int) {
    for (const float e : v) squares += (e - mean) * (e - mean);
  });
  const float inv_std = 1.0f / sqrtf(block_sum(squares, scratch) / count + eps);
  walk_channels<kWidth>(from, c, [&](float(&v)[kWidth], int first) {
    for (int i = 0; i < kWidth; ++i) v[i] = affine((v[i] - mean) * inv_std, first + i);
    store_elements<kWidth>(to + first, v);
  });
  if (threadIdx.x != 0) return;
  *saved.mean.at(blockIdx.x) = mean;
  *saved.inv_std.at(blockIdx.x) = inv_std;
}

template <class R, class T = typename R::Element>
__global__ void gf_layer_norm_dx_kernel(PixelCut cut, Rows<const T> x, Affine affine, Rows<const T> dy,
                                        PixelStatistics<const float> saved, Rows<T> dx) {
  for (unsigned turn = 0; turn < cut.turns; ++turn) {
    const unsigned pixel = cut.pixel(turn), from = min(pixel, cut.pixels - 1);
    R hat, g;
    hat.load(cut, x.at(from));
    g.load(cut, dy.at(from));
    const float mean = *saved.mean.at(from), inv_std = *saved.inv_std.at(from);
    const float share = 1.0f / static_cast<float>(cut.c);
    float of_g = 0.0f, of_scaled = 0.0f;
    hat.each(
        cut,
        [&](float& v, float& d, int channel) {
          v = (v - mean) * inv_std;
          d *= affine.gain(channel);
          of_g += d;
          of_scaled += d * v;
        },
        g);
    of_g = cut.sum(of_g) * share;
    of_scaled = cut.sum(of_scaled) * share;
    hat.each(
        cut, [&](float& v, float d, int) { v = inv_std * (d - of_g - v * of_scaled); }, g);
    if (pixel < cut.pixels) hat.store(cut, dx.at(pixel));
  }
}

template <class T, int kWidth>
__global__ void gf_layer_norm_dx_wide_kernel(Rows<const T> x, int c, Affine affine, Rows<const T> dy,
                                             PixelStatistics<const float> saved, Rows<T> dx) {
  GF_SHARED(float, scratch, kRowWarps);
  const T *from = x.at(blockIdx.x), *upstream = dy.at(blockIdx.x);
  T* to = dx.at(blockIdx.x);
  const float mean = *saved.mean.at(blockIdx.x), inv_std = *saved.inv_std.at(blockIdx.x);
  const float share = 1.0f / static_cast<float>(c);
  float of_g = 0.0f, of_scaled = 0.0f;
  walk_channels<kWidth>(from, c, [&](const float(&v)[kWidth], int first) {
    float d[kWidth];
    load_elements<kWidth>(upstream + first, d);
    for (int i = 0; i < kWidth; ++i) {
      const float g = d[i] * affine.gain(first + i);
      of_g += g;
      of_scaled += g * ((v[i] - mean) * inv_std);
    }
  });
  of_g = block_sum(of_g, scratch) * share;
  of_scaled = block_sum(of_scaled, scratch) * share;
  walk_channels<kWidth>(from, c, [&](float(&v)[kWidth], int first) {
    float d[kWidth];
    load_elements<kWidth>(upstream + first, d);
    for (int i = 0; i < kWidth; ++i)
      v[i] = inv_std * (d[i] * affine.gain(first + i) - of_g - (v[i] - mean) * inv_std * of_scaled);
    store_elements<kWidth>(to + first, v);
  });
}

// Of one chunk of pixels and channel: sum dy x^, sum dy.
struct alignas(8) AffineSums {
  float scaled, plain;
};

// parts: [chunk][c]
template <class T, int kWidth>
__global__ void gf_layer_norm_sums_kernel(norm::Plane<const T> x, norm::Plane<const T> dy,
                                          PixelStatistics<const float> saved, int c, norm::Cut cut, AffineSums* parts) {
  GF_SHARED(float, scratch, 2 * kWidth * norm::kThreads);
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  const int chunk = static_cast<int>(blockIdx.y), strips = static_cast<int>(blockDim.y);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float sums[2 * kWidth] = {};
  if (channel < c) {
    norm::walk_strip<norm::kRun<kWidth, 2>>(cut.length(chunk), [&](auto pixels, int p) {
      float v[pixels.value][kWidth], d[pixels.value][kWidth];
      norm::load_run(x, first + p, strips, channel, v);
      norm::load_run(dy, first + p, strips, channel, d);
      for (int k = 0; k < pixels.value; ++k) {
        const auto pixel = static_cast<unsigned>(first + p + k * strips);
        const float mean = *saved.mean.at(pixel), inv_std = *saved.inv_std.at(pixel);
        for (int j = 0; j < kWidth; ++j) {
          sums[2 * j] += d[k][j] * ((v[k][j] - mean) * inv_std);
          sums[2 * j + 1] += d[k][j];
        }
      }
    });
  }
  norm::sum_strips(sums, scratch);
  if (threadIdx.y != 0 || channel >= c) return;
  for (int j = 0; j < kWidth; ++j) parts[std::int64_t{chunk} * c + channel + j] = {sums[2 * j], sums[2 * j + 1]};
}

// Thread (x,y): channel x, chunks y, y + blockDim.y, ...
__global__ void gf_layer_norm_finish_kernel(const AffineSums* parts, int c, norm::Cut cut, float* dgamma,
                                            float* dbeta) {
  GF_SHARED(double, scratch, 2 * norm::kThreads);
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  double sums[2] = {};
  for (int chunk = static_cast<int>(threadIdx.y); channel < c && chunk < cut.chunks; chunk += blockDim.y) {
    const AffineSums part = parts[std::int64_t{chunk} * c + channel];
    sums[0] += static_cast<double>(part.scaled);
    sums[1] += static_cast<double>(part.plain);
  }
  norm::sum_strips(sums, scratch);
  if (threadIdx.y != 0 || channel >= c) return;
  dgamma[channel] = static_cast<float>(sums[0]);
  dbeta[channel] = static_cast<float>(sums[1]);
}

}  // namespace

void layer_norm_forward(const Gpu& gpu, float eps, ConstView x, ConstView gamma, ConstView beta, View mean,
                        View inv_std, View y) {
  const char* kernel = "layer_norm_forward";
  require_float(kernel, "x", x);
  require_layer_norm_forward(kernel, x, gamma, beta, mean, inv_std, y);
  require_countable_pixels(kernel, "x", x);
  if (x.count() == 0) return;
  const Affine affine{data_as<float>(gamma), data_as<float>(beta)};
  const PixelStatistics<float> saved{rows_of<float>(mean), rows_of<float>(inv_std)};
  const bool in_packs = takes_packs(x) && takes_packs(y);
  if (x.c > kMaxRowChannels) {
    return with_wide_row(x, in_packs, [&](auto element, auto width) {
      using T = decltype(element);
      launch(gpu, gf_layer_norm_wide_kernel<T, width()>, x.pixels(), kRowThreads, 0, eps, rows_of<const T>(x),
             static_cast<int>(x.c), affine, saved, rows_of<T>(y));
    });
  }
  with_row(x, in_packs, [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    launch(gpu, gf_layer_norm_kernel<R>, cut.blocks(), kRowThreads, 0, cut, eps, rows_of<const T>(x), affine, saved,
           rows_of<T>(y));
  });
}

void layer_norm_backward(const Gpu& gpu, ConstView x, ConstView gamma, ConstView dy, ConstView mean, ConstView inv_std,
                         View dx, View dgamma, View dbeta) {
  const char* kernel = "layer_norm_backward";
  require_float(kernel, "x", x);
  require_layer_norm_backward(kernel, x, gamma, dy, mean, inv_std, dx, dgamma, dbeta);
  require_countable_pixels(kernel, "x", x);
  norm::check_pixels(kernel, x);
  const bool learns = gamma.data != nullptr;
  if (x.count() == 0) {
    if (learns) {
      fill(gpu, 0.0f, dgamma);
      fill(gpu, 0.0f, dbeta);
    }
    return;
  }
  const Affine affine{data_as<float>(gamma), nullptr};
  const PixelStatistics<const float> saved{rows_of<const float>(mean), rows_of<const float>(inv_std)};
  const int c = static_cast<int>(x.c);
  // The sums first: dx may lie where x or dy do.
  if (learns) {
    with_wide_row(x, takes_packs(x) && takes_packs(dy), [&](auto element, auto width) {
      using T = decltype(element);
      const norm::Cut cut(x.c / width(), x.pixels(), norm::kSumBlocks);
      AffineSums* parts = take_workspace<AffineSums>(gpu, kernel, cut.chunks * x.c);
      launch(gpu, gf_layer_norm_sums_kernel<T, width()>, cut.grid(), cut.block(), 0, norm::plane<T>(x),
             norm::plane<T>(dy), saved, c, cut, parts);
      const LaunchSize finishers = norm::finish_block(cut, c);
      launch(gpu, gf_layer_norm_finish_kernel, blocks_for(c, finishers.x), finishers, 0,
             static_cast<const AffineSums*>(parts), c, cut, data_as<float>(dgamma), data_as<float>(dbeta));
    });
  }
  const bool in_packs = takes_packs(x) && takes_packs(dy) && takes_packs(dx);
  if (x.c > kMaxRowChannels) {
    return with_wide_row(x, in_packs, [&](auto element, auto width) {
      using T = decltype(element);
      launch(gpu, gf_layer_norm_dx_wide_kernel<T, width()>, x.pixels(), kRowThreads, 0, rows_of<const T>(x), c, affine,
             rows_of<const T>(dy), saved, rows_of<T>(dx));
    });
  }
  with_row(x, in_packs, [&](auto row, const PixelCut& cut) {
    using R = decltype(row);
    using T = typename R::Element;
    launch(gpu, gf_layer_norm_dx_kernel<R>, cut.blocks(), kRowThreads, 0, cut, rows_of<const T>(x), affine,
           rows_of<const T>(dy), saved, rows_of<T>(dx));
  });
}

}  // namespace gf
