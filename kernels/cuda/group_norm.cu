// Group norm on the GPU (contract: kernels/group_norm.h). Of every picture and group of channels, m values:
//
//   x^ = (x - mean) * inv_std,   y = act(gamma * x^ + beta + residual)
//   g = dy * act'(.):   dx = inv_std * (gamma g - A / m - x^ B / m),   A = sum gamma g,   B = sum gamma g x^
//   dgamma = sum g x^,   dbeta = sum g   over pictures and pixels
//
// Memory traffic, b bytes an element (4, bf16: 2): forward x twice, y once, a residual once more; backward x, y and dy
// twice and dx once, y only behind a ReLU; where g is kept for the residual the second sweep reads it in place of dy
// and y. Partial sums are a few hundredths of that. Floor: those bytes over the memory's bandwidth, 3 * b * n*h*w*c
// forwards and 7 * b * n*h*w*c backwards; less where a tensor stays in the second-level cache.
//
// As batch norm, with the picture as the grid's third axis: sums of a chunk of pixels per channel, then a block for
// every picture and group brings its channels and chunks together in double, then a sweep over the elements. Backwards
// a fourth kernel adds the pictures of gamma's and beta's gradients.
#include "kernels/cuda/block_sum.h"
#include "kernels/cuda/norm_moments.h"
#include "kernels/elementwise.h"
#include "kernels/group_norm_checks.h"

namespace gf {
namespace {

using namespace norm;

constexpr int kGroupThreads = 64;  // of a block that finishes a group

// How channels lie in groups, pictures in memory.
struct Groups {
  int c, count, members;  // members: channels of a group
  float eps;

  // Of the statistics of a picture's channel.
  __device__ int slot(int picture, int channel) const { return picture * count + channel / members; }
};

// One picture of a tensor.
template <class T>
__device__ Plane<T> picture_of(const Plane<T>& v, int picture, const Cut& cut) {
  return {v.data == nullptr ? nullptr : v.at(std::int64_t{picture} * cut.pixels, 0), v.stride};
}

// parts: [picture][chunk][c]
template <class T, int kWidth>
__global__ void gf_group_norm_moments_kernel(Plane<const T> x, int c, Cut cut, Moments* parts) {
  GF_SHARED(float, means, kThreads* kWidth);
  GF_SHARED(float, squares, kThreads* kWidth);
  const int picture = static_cast<int>(blockIdx.z);
  chunk_moments<kWidth>(picture_of(x, picture, cut), c, cut, means, squares,
                        parts + std::int64_t{picture} * cut.chunks * c);
}

// A block a picture and group; its threads take the group's channels in every chunk.
__global__ void gf_group_norm_statistics_kernel(const Moments* parts, Groups groups, Cut cut, float* mean,
                                                float* inv_std) {
  GF_SHARED(double, scratch, kGroupThreads / 32);
  const int picture = static_cast<int>(blockIdx.x) / groups.count, group = static_cast<int>(blockIdx.x) % groups.count;
  const Moments* first = parts + std::int64_t{picture} * cut.chunks * groups.c + group * groups.members;
  const double origin = load16<Moments>(first).mean;
  double distance = 0.0, squares = 0.0;  // from origin
  for (int i = static_cast<int>(threadIdx.x); i < cut.chunks * groups.members; i += kGroupThreads) {
    const int chunk = i / groups.members;
    const Moments m = load16<Moments>(first + std::int64_t{chunk} * groups.c + i % groups.members);
    const double d = m.mean - origin, n = cut.length(chunk);
    distance += n * d;
    squares += m.m2 + n * d * d;
  }
  distance = block_sum(distance, scratch);
  squares = block_sum(squares, scratch);
  if (threadIdx.x != 0) return;
  const double n = static_cast<double>(cut.pixels) * groups.members, m2 = squares - distance * distance / n;
  const double var = m2 > 0.0 ? m2 / n : m2 * 0.0;  // rounding can leave a negative zero's worth; NaN stays
  mean[blockIdx.x] = static_cast<float>(origin + distance / n);
  inv_std[blockIdx.x] = static_cast<float>(1.0 / sqrt(var + static_cast<double>(groups.eps)));
}

// What maps x to y, or (x, g) to dx, per channel of a picture.
struct Statistics {
  const float *gamma, *beta, *mean, *inv_std;
};

// y = act((x - mean) * gain + beta + residual), from the last chunk to the first.
template <class T, int kWidth>
__global__ void gf_group_norm_apply_kernel(Plane<const T> x_all, Plane<const T> residual_all, Plane<T> y_all,
                                           Groups groups, Cut cut, Statistics s, bool relu) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  if (channel >= groups.c) return;
  const int picture = static_cast<int>(gridDim.z - 1 - blockIdx.z), strips = static_cast<int>(blockDim.y);
  const int chunk = static_cast<int>(gridDim.y - 1 - blockIdx.y);
  const Plane<const T> x = picture_of(x_all, picture, cut), residual = picture_of(residual_all, picture, cut);
  const Plane<T> y = picture_of(y_all, picture, cut);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float mean[kWidth], gain[kWidth], offset[kWidth];
  for (int j = 0; j < kWidth; ++j) {
    const int slot = groups.slot(picture, channel + j);
    mean[j] = s.mean[slot];
    gain[j] = s.gamma[channel + j] * s.inv_std[slot];
    offset[j] = s.beta[channel + j];
  }
  walk_strip<kRun<kWidth, 2>>(cut.length(chunk), [&](auto pixels, int p) {
    float v[pixels.value][kWidth], r[pixels.value][kWidth];
    load_run(x, first + p, strips, channel, v);
    load_run(residual, first + p, strips, channel, r);
    for (int k = 0; k < pixels.value; ++k) {
      for (int j = 0; j < kWidth; ++j) {
        const float z = (v[k][j] - mean[j]) * gain[j] + offset[j] + r[k][j];
        v[k][j] = relu && z < 0.0f ? 0.0f : z;  // a NaN passes
      }
      store_elements<kWidth>(y.at(first + p + k * strips, channel), v[k]);
    }
  });
}

// dy, and behind a ReLU the output that says where it cut; y.data is null without one.
template <class T>
struct Gradient {
  Plane<const T> dy, y;
};

template <int kPixels, int kWidth, class T>
__device__ void load_gradients(const Gradient<T>& from, std::int64_t pixel, int step, int channel,
                               float (&g)[kPixels][kWidth]) {
  load_run(from.dy, pixel, step, channel, g);
  if (from.y.data == nullptr) return;
  float y[kPixels][kWidth];
  load_run(from.y, pixel, step, channel, y);
  for (int k = 0; k < kPixels; ++k)
    for (int j = 0; j < kWidth; ++j) g[k][j] = y[k][j] > 0.0f ? g[k][j] : 0.0f;
}

// Of one chunk and channel of a picture: sum g, sum g (x - mean).
struct alignas(8) Sums {
  float g, gd;
};

// parts: [picture][chunk][c]. g is stored where `stored` has data.
template <class T, int kWidth>
__global__ void gf_group_norm_sums_kernel(Plane<const T> x_all, Gradient<T> all, Plane<T> stored_all, Groups groups,
                                          Cut cut, const float* means, Sums* parts) {
  GF_SHARED(float, scratch, 2 * kWidth * kThreads);
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  const int chunk = static_cast<int>(blockIdx.y), picture = static_cast<int>(blockIdx.z);
  const int strips = static_cast<int>(blockDim.y);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float sums[2 * kWidth] = {};
  if (channel < groups.c) {
    const Plane<const T> x = picture_of(x_all, picture, cut);
    const Gradient<T> gradient{picture_of(all.dy, picture, cut), picture_of(all.y, picture, cut)};
    const Plane<T> stored = picture_of(stored_all, picture, cut);
    float mean[kWidth];
    for (int j = 0; j < kWidth; ++j) mean[j] = means[groups.slot(picture, channel + j)];
    walk_strip<kRun<kWidth, 3>>(cut.length(chunk), [&](auto pixels, int p) {
      float v[pixels.value][kWidth], g[pixels.value][kWidth];
      load_run(x, first + p, strips, channel, v);
      load_gradients(gradient, first + p, strips, channel, g);
      for (int j = 0; j < kWidth; ++j) {
        float s = 0, q = 0;  // short sums added up lose fewer digits than one long one
        for (int k = 0; k < pixels.value; ++k) {
          s += g[k][j];
          q += g[k][j] * (v[k][j] - mean[j]);
        }
        sums[j] += s;
        sums[kWidth + j] += q;
      }
      if (stored.data == nullptr) return;
      for (int k = 0; k < pixels.value; ++k) store_elements<kWidth>(stored.at(first + p + k * strips, channel), g[k]);
    });
  }
  sum_strips(sums, scratch);
  if (threadIdx.y != 0 || channel >= groups.c) return;
  Sums* to = parts + (std::int64_t{picture} * cut.chunks + chunk) * groups.c + channel;
  for (int j = 0; j < kWidth; ++j) to[j] = {sums[j], sums[kWidth + j]};
}

// Of one picture and channel: sum g, sum g x^.
struct alignas(16) Totals {
  double g, scaled;
};
// Of one picture and group: A / m and inv_std B / m.
struct alignas(8) Factors {
  float a, b;
};

// A block a picture and group. totals: [picture][c], factors: [picture][group].
__global__ void gf_group_norm_factors_kernel(const Sums* parts, Groups groups, Cut cut, Statistics s, Totals* totals,
                                             Factors* factors) {
  GF_SHARED(double, scratch, kGroupThreads / 32);
  const int picture = static_cast<int>(blockIdx.x) / groups.count, group = static_cast<int>(blockIdx.x) % groups.count;
  const double inv_std = s.inv_std[blockIdx.x];
  double a = 0.0, b = 0.0;
  for (int i = static_cast<int>(threadIdx.x); i < groups.members; i += kGroupThreads) {
    const int channel = group * groups.members + i;
    double of_g = 0.0, of_gd = 0.0;
    for (int chunk = 0; chunk < cut.chunks; ++chunk) {
      const Sums part = parts[(std::int64_t{picture} * cut.chunks + chunk) * groups.c + channel];
      of_g += static_cast<double>(part.g);
      of_gd += static_cast<double>(part.gd);
    }
    of_gd *= inv_std;
    totals[std::int64_t{picture} * groups.c + channel] = {of_g, of_gd};
    a += s.gamma[channel] * of_g;
    b += s.gamma[channel] * of_gd;
  }
  a = block_sum(a, scratch);
  b = block_sum(b, scratch);
  if (threadIdx.x != 0) return;
  const double m = static_cast<double>(cut.pixels) * groups.members;
  factors[blockIdx.x] = {static_cast<float>(a / m), static_cast<float>(inv_std * b / m)};
}

__global__ void gf_group_norm_parameters_kernel(const Totals* totals, int c, int pictures, float* dgamma,
                                                float* dbeta) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (channel >= c) return;
  double of_g = 0.0, of_scaled = 0.0;
  for (int n = 0; n < pictures; ++n) {
    const Totals t = totals[std::int64_t{n} * c + channel];
    of_g += t.g;
    of_scaled += t.scaled;
  }
  dbeta[channel] = static_cast<float>(of_g);
  dgamma[channel] = static_cast<float>(of_scaled);
}

// dx = inv_std * (gamma g - A / m - (x - mean) * (inv_std B / m)), from the last chunk to the first.
template <class T, int kWidth>
__global__ void gf_group_norm_dx_kernel(Plane<const T> x_all, Gradient<T> all, Plane<T> dx_all, Groups groups, Cut cut,
                                        Statistics s, const Factors* factors) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x) * kWidth;
  if (channel >= groups.c) return;
  const int picture = static_cast<int>(gridDim.z - 1 - blockIdx.z), strips = static_cast<int>(blockDim.y);
  const int chunk = static_cast<int>(gridDim.y - 1 - blockIdx.y);
  const Plane<const T> x = picture_of(x_all, picture, cut);
  const Gradient<T> gradient{picture_of(all.dy, picture, cut), picture_of(all.y, picture, cut)};
  const Plane<T> dx = picture_of(dx_all, picture, cut);
  const std::int64_t first = std::int64_t{chunk} * cut.chunk_pixels;
  float mean[kWidth], inv_std[kWidth], gamma[kWidth];
  Factors f[kWidth];
  for (int j = 0; j < kWidth; ++j) {
    const int slot = groups.slot(picture, channel + j);
    mean[j] = s.mean[slot];
    inv_std[j] = s.inv_std[slot];
    gamma[j] = s.gamma[channel + j];
    f[j] = factors[slot];
  }
  walk_strip<kRun<kWidth, 3>>(cut.length(chunk), [&](auto pixels, int p) {
    float v[pixels.value][kWidth], g[pixels.value][kWidth];
    load_run(x, first + p, strips, channel, v);
    load_gradients(gradient, first + p, strips, channel, g);
    for (int k = 0; k < pixels.value; ++k) {
      for (int j = 0; j < kWidth; ++j)
        g[k][j] = inv_std[j] * (gamma[j] * g[k][j] - f[j].a - (v[k][j] - mean[j]) * f[j].b);
      store_elements<kWidth>(dx.at(first + p + k * strips, channel), g[k]);
    }
  });
}

// Blocks along the three axes: tiles of channels, chunks, pictures.
LaunchSize grid_of(const Cut& cut, const ConstView& x, std::source_location at = std::source_location::current()) {
  return {cut.tiles, cut.chunks, x.n, at};
}

Cut cut_of(const ConstView& x, int width, std::int64_t most_blocks) {
  return Cut(x.c / width, x.h * x.w, std::max<std::int64_t>(most_blocks / x.n, 1));
}

Groups groups_of(const GroupNormShape& shape, const ConstView& x) {
  return {static_cast<int>(x.c), static_cast<int>(shape.groups), static_cast<int>(x.c / shape.groups), shape.eps};
}

// A picture is a block's third index.
void check_pictures(const char* kernel, const ConstView& x) {
  check_pixels(kernel, x);
  if (x.n > 65535) fail(std::string(kernel) + ": too many pictures", describe("x", x), "at most 65535");
}

// Calls body with an element and how many channels a thread takes, as types; the views may be null.
template <class Body, class... Views>
void with_width(const Body& body, const ConstView& x, const Views&... others) {
  const auto packs = [](const ConstView& v) { return v.data == nullptr || takes_packs(v); };
  const bool all = (packs(x) && ... && packs(others));
  with_element(x.dtype, [&](auto element) {
    if (all) return body(element, std::integral_constant<int, kPackWidth<decltype(element)>>{});
    body(element, std::integral_constant<int, 1>{});
  });
}

}  // namespace

void group_norm_forward(const Gpu& gpu, const GroupNormShape& shape, ConstView x, ConstView gamma, ConstView beta,
                        ConstView residual, View mean, View inv_std, View y) {
  const char* kernel = "group_norm_forward";
  require_float(kernel, "x", x);
  require_group_norm_forward(kernel, shape, x, gamma, beta, residual, mean, inv_std, y);
  check_pictures(kernel, x);
  if (x.count() == 0) return;
  const Groups groups = groups_of(shape, x);
  const Statistics statistics{data_as<float>(gamma), data_as<float>(beta), data_as<float>(mean),
                              data_as<float>(inv_std)};
  with_width(
      [&](auto element, auto width) {
        using T = decltype(element);
        constexpr int kWidth = width.value;
        const Cut cut = cut_of(x, kWidth, kSumBlocks), map = cut_of(x, kWidth, kMapBlocks);
        Moments* parts = take_workspace<Moments>(gpu, kernel, x.n * cut.chunks * x.c);
        launch(gpu, gf_group_norm_moments_kernel<T, kWidth>, grid_of(cut, x), cut.block(), 0, plane<T>(x), groups.c,
               cut, parts);
        launch(gpu, gf_group_norm_statistics_kernel, x.n * shape.groups, kGroupThreads, 0,
               static_cast<const Moments*>(parts), groups, cut, data_as<float>(mean), data_as<float>(inv_std));
        launch_independent(gpu, gf_group_norm_apply_kernel<T, kWidth>, grid_of(map, x), map.block(), plane<T>(x),
                           plane<T>(residual), plane<T>(y), groups, map, statistics, shape.relu);
      },
      x, residual, y);
}

void group_norm_backward(const Gpu& gpu, const GroupNormShape& shape, ConstView x, ConstView y, ConstView dy,
                         ConstView gamma, ConstView mean, ConstView inv_std, View dx, View dgamma, View dbeta,
                         View d_residual) {
  const char* kernel = "group_norm_backward";
  require_float(kernel, "x", x);
  require_group_norm_backward(kernel, shape, x, y, dy, gamma, mean, inv_std, dx, dgamma, dbeta, d_residual);
  check_pictures(kernel, x);
  if (x.count() == 0) {
    fill(gpu, 0.0f, dgamma);
    fill(gpu, 0.0f, dbeta);
    return;
  }
  const Groups groups = groups_of(shape, x);
  const Statistics statistics{data_as<float>(gamma), nullptr, data_as<float>(mean), data_as<float>(inv_std)};
  const ConstView sign = shape.relu ? y : ConstView{};
  with_width(
      [&](auto element, auto width) {
        using T = decltype(element);
        constexpr int kWidth = width.value;
        const Cut cut = cut_of(x, kWidth, kSumBlocks), map = cut_of(x, kWidth, kMapBlocks);
        // One request: totals (16 bytes), then parts and factors (8 bytes each).
        const std::int64_t channels = x.n * x.c, sums = cut.chunks * channels;
        Totals* totals = take_workspace<Totals>(gpu, kernel, channels + blocks_for(sums + x.n * shape.groups, 2));
        Sums* parts = reinterpret_cast<Sums*>(totals + channels);
        Factors* factors = reinterpret_cast<Factors*>(parts + sums);
        const Gradient<T> gradient{plane<T>(dy), plane<T>(sign)};
        launch(gpu, gf_group_norm_sums_kernel<T, kWidth>, grid_of(cut, x), cut.block(), 0, plane<T>(x), gradient,
               plane<T>(d_residual), groups, cut, statistics.mean, parts);
        launch(gpu, gf_group_norm_factors_kernel, x.n * shape.groups, kGroupThreads, 0, static_cast<const Sums*>(parts),
               groups, cut, statistics, totals, factors);
        launch_independent(gpu, gf_group_norm_parameters_kernel, blocks_for(x.c, kThreads), kThreads,
                           static_cast<const Totals*>(totals), groups.c, static_cast<int>(x.n), data_as<float>(dgamma),
                           data_as<float>(dbeta));
        const Gradient<T> kept =
            d_residual.data == nullptr ? gradient : Gradient<T>{plane<T>(ConstView(d_residual)), {}};
        launch_independent(gpu, gf_group_norm_dx_kernel<T, kWidth>, grid_of(map, x), map.block(), plane<T>(x), kept,
                           plane<T>(dx), groups, map, statistics, static_cast<const Factors*>(factors));
      },
      x, sign, ConstView(dy), ConstView(dx), ConstView(d_residual));
}

}  // namespace gf
