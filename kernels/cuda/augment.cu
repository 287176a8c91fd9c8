// Augmentation of pictures and labels on the GPU (contract: kernels/augment.h).
//
//   out(y, x) = M(rotate(-angle, (y, x) - middle) / zoom + middle),  M the mirrored picture; bilinear, labels nearest
//   x = low + range * (gain ((x - low) / range)^gamma + offset)      where levels change
//
// Memory traffic: 8 bytes an element of the picture and 8 a label; a turn reads neighbours again, from the caches. With
// levels 8 bytes an element more. Floor: those bytes over the memory's bandwidth.
//
// A thread makes one pixel of the result and its label, along x, so a warp's reads of an unturned picture join. Grid:
// blocks of a picture's pixels by pictures; what happens to a picture is read from device memory, so the launch is the
// same for every batch. With levels every block leaves the least and the most value of its pixels, and in a second
// kernel every block merges those of its picture. Products and sums are kept apart (multiply_then_add): the bits are
// the CPU's.
#include "kernels/augment_checks.h"
#include "kernels/cuda/block_sum.h"
#include "kernels/gamma_power.h"

namespace gf {
namespace {

constexpr int kThreads = 256;

template <class T>
struct Images {
  T* data;
  std::int64_t stride;
  int h, w;

  template <class V>
  explicit Images(const V& v)
      : data(static_cast<T*>(v.data)), stride(v.pixel_stride), h(static_cast<int>(v.h)), w(static_cast<int>(v.w)) {}
  __device__ T* at(unsigned n, std::int64_t y, std::int64_t x) const {
    return data + (std::int64_t{n} * h * w + y * w + x) * stride;
  }
  // Seen through the mirrors; null beyond the rim.
  __device__ T* mirrored(const PictureChange& how, unsigned n, std::int64_t y, std::int64_t x) const {
    if (y < 0 || y >= h || x < 0 || x >= w) return nullptr;
    if (how.mirror_y != 0) y = h - 1 - y;
    if (how.mirror_x != 0) x = w - 1 - x;
    return how.swap != 0 && h == w ? at(n, x, y) : at(n, y, x);
  }
};

// (1 - f) a + f b
__device__ inline float between(float f, float a, float b) { return multiply_then_add(1.0f - f, a, f * b); }

struct Work {
  BatchChange batch;
  const PictureChange* pictures;
  const float* outside;
  std::int64_t outside_stride;
  Images<const float> from;
  Images<const int> from_labels;
  Images<float> to;
  Images<int> to_labels;
  int channels;

  __device__ bool has(std::int64_t pixel) const { return pixel < std::int64_t{to.h} * to.w; }

  // Makes one pixel of picture n and its label.
  __device__ void make(unsigned n, std::int64_t pixel) const {
    const PictureChange how = pictures[n];
    const std::int64_t y = pixel / to.w, x = pixel - y * to.w;
    float* out = to.at(n, y, x);
    if (how.turns == 0) {
      const float* in = from.mirrored(how, n, y, x);
      for (int c = 0; c < channels; ++c) out[c] = in[c];
      *to_labels.at(n, y, x) = *from_labels.mirrored(how, n, y, x);
      return;
    }
    const double middle_y = (to.h - 1) / 2.0, middle_x = (to.w - 1) / 2.0;
    const double dy = static_cast<double>(y) - middle_y, dx = static_cast<double>(x) - middle_x;
    const double v = multiply_then_add(how.cosine, dy, -(how.sine * dx)) + middle_y,
                 u = multiply_then_add(how.sine, dy, how.cosine * dx) + middle_x;
    const std::int64_t v0 = static_cast<std::int64_t>(floor(v)), u0 = static_cast<std::int64_t>(floor(u));
    const float fv = static_cast<float>(v - static_cast<double>(v0)),
                fu = static_cast<float>(u - static_cast<double>(u0));
    const float* beyond = outside + n * outside_stride;
    const auto at = [&](std::int64_t yy, std::int64_t xx) {
      const float* p = from.mirrored(how, n, yy, xx);
      return p == nullptr ? beyond : p;
    };
    const float *p00 = at(v0, u0), *p01 = at(v0, u0 + 1), *p10 = at(v0 + 1, u0), *p11 = at(v0 + 1, u0 + 1);
    for (int c = 0; c < channels; ++c) out[c] = between(fv, between(fu, p00[c], p01[c]), between(fu, p10[c], p11[c]));
    const int* nearest = from_labels.mirrored(how, n, static_cast<std::int64_t>(floor(v + 0.5)),
                                              static_cast<std::int64_t>(floor(u + 0.5)));
    *to_labels.at(n, y, x) = nearest == nullptr ? batch.outside_label : *nearest;
  }
};

__device__ inline std::int64_t pixel_of_thread() { return std::int64_t{blockIdx.x} * kThreads + threadIdx.x; }

__global__ void gf_augment_kernel(Work work) {
  if (work.has(pixel_of_thread())) work.make(blockIdx.y, pixel_of_thread());
}

// The least and the most value of some pixels.
struct Extremes {
  float least = INFINITY, most = -INFINITY;

  __device__ void add(float low, float high) {
    least = fminf(least, low);
    most = fmaxf(most, high);
  }
  // Of all threads of the block.
  template <class Scratch>
  __device__ Extremes of_block(Scratch scratch) const {
    Extremes all;
    all.least = block_reduce(least, scratch, [](float a, float b) { return fminf(a, b); });
    all.most = block_reduce(most, scratch, [](float a, float b) { return fmaxf(a, b); });
    return all;
  }
};

// parts: [picture][block]
__global__ void gf_augment_and_measure_kernel(Work work, Extremes* parts) {
  GF_SHARED(float, scratch, kThreads / 32);
  const unsigned n = blockIdx.y;
  const std::int64_t pixel = pixel_of_thread();
  Extremes mine;
  if (work.has(pixel)) {
    work.make(n, pixel);
    const float* made = work.to.at(n, 0, pixel);
    for (int c = 0; c < work.channels; ++c) mine.add(made[c], made[c]);
  }
  const Extremes block = mine.of_block(scratch);
  if (threadIdx.x == 0) parts[n * std::int64_t{gridDim.x} + blockIdx.x] = block;
}

// The grid of the kernel before.
__global__ void gf_augment_levels_kernel(Work work, const Extremes* parts) {
  GF_SHARED(float, scratch, kThreads / 32);
  const unsigned n = blockIdx.y;
  Extremes mine;
  for (unsigned b = threadIdx.x; b < gridDim.x; b += kThreads) {
    const Extremes part = parts[n * std::int64_t{gridDim.x} + b];
    mine.add(part.least, part.most);
  }
  const Extremes picture = mine.of_block(scratch);
  const float low = picture.least, range = picture.most - low;
  if (!(range > 0.0f) || !work.has(pixel_of_thread())) return;
  const PictureChange how = work.pictures[n];
  float* out = work.to.at(n, 0, pixel_of_thread());
  for (int c = 0; c < work.channels; ++c) {
    float t = (out[c] - low) / range;
    if (how.gamma != 1.0f) t = gamma_power(t, how.gamma);
    out[c] = multiply_then_add(range, multiply_then_add(how.gain, t, how.offset), low);
  }
}

}  // namespace

void augment_pictures(const Gpu& gpu, const BatchChange& batch, ConstView pictures, ConstView outside, ConstView from,
                      ConstView from_labels, View to, View to_labels) {
  const char* kernel = "augment_pictures";
  require_augment(kernel, pictures, outside, from, from_labels, to, to_labels);
  if (from.count() == 0) return;
  const Work work{batch,
                  static_cast<const PictureChange*>(pictures.data),
                  data_as<float>(outside),
                  outside.pixel_stride,
                  Images<const float>(from),
                  Images<const int>(from_labels),
                  Images<float>(to),
                  Images<int>(to_labels),
                  static_cast<int>(from.c)};
  const LaunchSize grid(blocks_for(from.h * from.w, kThreads), from.n);
  if (!batch.levels) return launch_independent(gpu, gf_augment_kernel, grid, kThreads, work);
  Extremes* parts = take_workspace<Extremes>(gpu, kernel, grid.x * grid.y);
  launch(gpu, gf_augment_and_measure_kernel, grid, kThreads, 0, work, parts);
  launch(gpu, gf_augment_levels_kernel, grid, kThreads, 0, work, static_cast<const Extremes*>(parts));
}

}  // namespace gf
