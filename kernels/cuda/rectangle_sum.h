#pragma once
// Maps whose every pixel is a weighted sum over a rectangle of another map's pixels: average pooling, resizing and the
// adjoints of both.
//
//   to[n,h,w,c] = sum over (h',w') in rows(h) x columns(w) of row weight * column weight * from[n,h',w',c]
//
// An axis is a class with `Span span(int i)`, what position i of `to` reads: `first`, `last` (not read itself) and
// `weight(position)`, 0 for what is not to be touched; and `longest`, the most positions a span can have.
//
// Where rectangles are small or pixels many, a thread takes a pack of channels of one pixel. Else a block's threads
// share the rectangle of a pixel between them, and several blocks do where one would be too slow. Sums meet pairwise in
// shared memory, then chunk after chunk: their order depends on the shapes only.
#include <algorithm>

#include "kernels/cuda/map_items.h"

namespace gf {

template <class Axis>
struct Rectangles {
  Axis rows, columns;
};

// One thread's share: the positions first, first + step, ... below `last`, counted row by row.
template <int kWidth, class Span, class T>
__device__ void add_share(const Span& down, const Span& across, const Pixels<const T>& from, unsigned n, unsigned c,
                          int first, int step, int last, float (&sum)[kWidth]) {
  const int columns = across.last - across.first;
  const int step_h = step / columns, step_w = step % columns;
  int h = down.first + first / columns, w = across.first + first % columns;
  for (int i = first; i < last; i += step) {
    const float weight = down.weight(h) * across.weight(w);
    if (weight != 0.0f) {
      float v[kWidth];
      load_elements<kWidth>(from.at(n, h, w, c), v);
      for (int k = 0; k < kWidth; ++k) sum[k] += weight * v[k];
    }
    h += step_h;
    w += step_w;
    if (w >= across.last) {
      w -= columns;
      ++h;
    }
  }
}

template <class T, int kWidth, class Axis>
__global__ void gf_rectangle_sum_kernel(Rectangles<Axis> rectangles, MapItems items, Pixels<const T> from,
                                        Pixels<T> to) {
  MapItem at;
  if (!items.take(at)) return;
  const auto down = rectangles.rows.span(at.h), across = rectangles.columns.span(at.w);
  float sum[kWidth] = {};
  for (int h = down.first; h < down.last; ++h) {
    const float row_weight = down.weight(h);
    for (int w = across.first; w < across.last; ++w) {
      const float weight = row_weight * across.weight(w);
      if (weight == 0.0f) continue;
      float v[kWidth];
      load_elements<kWidth>(from.at(at.n, h, w, at.c), v);
      for (int k = 0; k < kWidth; ++k) sum[k] += weight * v[k];
    }
  }
  store_elements<kWidth>(to.at(at.n, at.h, at.w, at.c), sum);
}

// How large rectangles are shared out. Block: lanes (packs of channels) x strips (of a rectangle) x pixels of `to`;
// grid: groups of pixels x packs beyond the lanes x chunks of the rectangles.
struct RectangleCut {
  static constexpr std::int64_t kThreads = 256;
  std::int64_t lanes = 1, strips = 1, pixels, groups, tiles, chunks;

  RectangleCut(std::int64_t packs, std::int64_t pixels_of_to, std::int64_t longest) {
    constexpr std::int64_t kPerThread = 8, kBlocks = 512, kMaxChunks = 32;
    while (lanes < packs && lanes < 32) lanes *= 2;
    while (lanes * strips < kThreads && strips * kPerThread < longest) strips *= 2;
    pixels = std::min<std::int64_t>(kThreads / (lanes * strips), 64);
    groups = blocks_for(pixels_of_to, pixels);
    tiles = blocks_for(packs, lanes);
    chunks = std::min({kMaxChunks, blocks_for(longest, strips * kPerThread), blocks_for(kBlocks, groups * tiles)});
  }
};

// With several chunks, `partial` receives their sums: [chunk][pixel][c].
template <class T, int kWidth, class Axis>
__global__ void gf_rectangle_share_kernel(Rectangles<Axis> rectangles, MapItems items, unsigned pixels,
                                          Pixels<const T> from, Pixels<T> to, float* partial) {
  GF_SHARED(float, shared, RectangleCut::kThreads* kWidth);
  const unsigned pixel = blockIdx.x * blockDim.z + threadIdx.z, pack = blockIdx.y * blockDim.x + threadIdx.x,
                 c = pack * kWidth, channels = items.packs.value * kWidth;
  const unsigned line = items.w.quotient(pixel), n = items.h.quotient(line);
  const int w = static_cast<int>(pixel - line * items.w.value), h = static_cast<int>(line - n * items.h.value);
  const bool mine = pixel < pixels && pack < items.packs.value;
  float sum[kWidth] = {};
  if (mine) {
    const auto down = rectangles.rows.span(h), across = rectangles.columns.span(w);
    const int strips = static_cast<int>(blockDim.y), strip = static_cast<int>(threadIdx.y);
    const int area = max(down.last - down.first, 0) * max(across.last - across.first, 0);
    const int chunks = static_cast<int>(gridDim.z), chunk = static_cast<int>(blockIdx.z),
              per_chunk = (area + chunks - 1) / chunks;
    if (area > 0)
      add_share<kWidth>(down, across, from, n, c, chunk * per_chunk + strip, strips, min((chunk + 1) * per_chunk, area),
                        sum);
  }
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  for (int k = 0; k < kWidth; ++k) shared[k * RectangleCut::kThreads + thread] = sum[k];
  for (unsigned half = blockDim.y / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.y >= half) continue;
    for (int k = 0; k < kWidth; ++k)
      shared[k * RectangleCut::kThreads + thread] += shared[k * RectangleCut::kThreads + thread + half * blockDim.x];
  }
  if (threadIdx.y != 0 || !mine) return;
  for (int k = 0; k < kWidth; ++k) sum[k] = shared[k * RectangleCut::kThreads + thread];
  if (gridDim.z == 1) {
    store_elements<kWidth>(to.at(n, h, w, c), sum);
  } else {
    float* row = partial + (std::int64_t{blockIdx.z} * pixels + pixel) * channels + c;
    for (int k = 0; k < kWidth; ++k) row[k] = sum[k];
  }
}

template <class T>
__global__ void gf_rectangle_merge_kernel(MapItems items, int chunks, const float* partial, Pixels<T> to) {
  MapItem at;
  if (!items.take(at)) return;
  const float* from = partial + blockIdx.x * blockDim.x + threadIdx.x;
  float sum = 0;
  for (int chunk = 0; chunk < chunks; ++chunk) sum += from[std::int64_t{chunk} * items.count];
  *to.at(at.n, at.h, at.w, at.c) = to_element<T>(sum);
}

// `to` is assigned; both maps are of one dtype and not empty.
template <class Axis>
void sum_rectangles(const Gpu& gpu, const char* kernel, const Rectangles<Axis>& rectangles, const ConstView& from,
                    const View& to) {
  constexpr std::int64_t kSmall = 32, kManyThreads = 1 << 17;
  with_items(to.dtype, takes_packs(from) && takes_packs(to), [&](auto element, auto width) {
    using T = decltype(element);
    const MapItems items(kernel, to.shape(), width);
    const std::int64_t longest = std::int64_t{rectangles.rows.longest} * rectangles.columns.longest;
    if (longest <= kSmall || items.count >= kManyThreads) {
      launch_independent(gpu, gf_rectangle_sum_kernel<T, width, Axis>, items.blocks(), kItemThreads, rectangles, items,
                         pixels_of<const T>(from), pixels_of<T>(to));
      return;
    }
    const RectangleCut cut(items.packs.value, to.pixels(), longest);
    float* partial = cut.chunks > 1 ? take_workspace<float>(gpu, kernel, cut.chunks * to.count()) : nullptr;
    launch(gpu, gf_rectangle_share_kernel<T, width, Axis>, {cut.groups, cut.tiles, cut.chunks},
           {cut.lanes, cut.strips, cut.pixels}, 0, rectangles, items, static_cast<unsigned>(to.pixels()),
           pixels_of<const T>(from), pixels_of<T>(to), partial);
    if (cut.chunks == 1) return;
    const MapItems merged(kernel, to.shape(), 1);
    launch_independent(gpu, gf_rectangle_merge_kernel<T>, merged.blocks(), kItemThreads, merged,
                       static_cast<int>(cut.chunks), partial, pixels_of<T>(to));
  });
}

}  // namespace gf
