// Depthwise convolution on the GPU (contract: kernels/depthwise.h).
//
//   y[n,oh,ow,c]  = bias[c] + sum over kh,kw of x[n, oh*s - p + kh*d, ow*s - p + kw*d, c] * w[c,kh,kw]
//   dx[n,ih,iw,c] = sum over those kh,kw, oh,ow that meet it of dy[n,oh,ow,c] * w[c,kh,kw]
//   dw[c,kh,kw]   = sum over n,oh,ow of x[n, oh*s - p + kh*d, ow*s - p + kw*d, c] * dy[n,oh,ow,c]
//
// Memory traffic: x and y (dy, dx) once each, b bytes an element (4 in float32, 2 in bf16); weights and partial sums
// are small beside it. Two operations an element and tap, 18 for 3x3, are far below what an H100 does in the time of 2
// * b bytes, so the floor of all three is b * (n*h*w*c + n*oh*ow*c) bytes over the memory's bandwidth.
//
// What is read once from memory is needed kh*kw times by the arithmetic, so the scheme is about where the repeats come
// from. Along a row from registers: a thread holds four outputs of one pack of channels, spaced so that a loaded column
// serves up to kw of them (depthwise_tiles.h): six loads instead of twelve for 3x3. Down the rows from the first-level
// cache: a block walks down a narrow column. Weights stand in shared memory as float32, [tap][channel].
//
// The input gradient is the same sum with the taps turned round; with stride 2 it falls into phases, each a sum over
// some of the taps. Row phases share a launch, column phases have one each because the number of taps across is a
// constant of the kernel. So every dx is written once and nothing is added up in memory. The weight gradient has one
// group of threads a kernel row, which meet the same dy in the cache; a block's threads meet in shared memory, the
// blocks' partial sums in a second, small kernel, always in the same order.
#include "kernels/depthwise.h"

#include <utility>

#include "kernels/cuda/depthwise_tiles.h"
#include "kernels/cuda/element.h"

namespace gf {
namespace {

using namespace depthwise;

template <class T>
struct Image {
  T* data;
  std::int64_t pixel_stride;
  int h, w, c;

  __device__ T* row(int n, int y, int ch) const { return data + (std::int64_t{n} * h + y) * w * pixel_stride + ch; }
};

// A tile of channels, a column of strips, a range of lines.
struct Place {
  int channel_tile, strip, first_line, pixel_block;

  __device__ Place(const Tiles& t, unsigned block) {
    channel_tile = static_cast<int>(block) % t.channel_tiles;
    pixel_block = static_cast<int>(block) / t.channel_tiles;
    strip = pixel_block % t.column_tiles * t.strips + static_cast<int>(threadIdx.y);
    first_line = pixel_block / t.column_tiles * t.lines_per_block;
  }
};

template <int kWidth, class Memory>
__device__ void read_shared(Memory memory, int index, float (&v)[kWidth]) {
  if constexpr (kWidth == 1) {
    v[0] = memory[index];
  } else {
    for (int i = 0; i < kWidth; i += 4) {
      const float4 four = load4(&memory[index + i]);
      v[i] = four.x, v[i + 1] = four.y, v[i + 2] = four.z, v[i + 3] = four.w;
    }
  }
}

__device__ inline int thread_of_block() {
  return static_cast<int>((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x);
}
__device__ inline int threads_of_block() { return static_cast<int>(blockDim.x * blockDim.y * blockDim.z); }

template <int n>
using Constant = std::integral_constant<int, n>;

// body(Constant<0>), body(Constant<1>), ...: arrays that body indexes by it stay in registers, whatever the compiler
// thinks of the loop's length.
template <class Body, int... i>
__device__ void for_constants(std::integer_sequence<int, i...>, const Body& body) {
  (body(Constant<i>{}), ...);
}

// The pack at `index` of a row of `extent` pixels, zero outside. It loads in either case, the nearest pixel where it
// must: a branch would keep the compiler from queueing the loads of a strip one behind the other.
template <int kWidth, class T>
__device__ void load_or_zero(const T* row, std::int64_t pixel_stride, int index, int extent, bool counts,
                             float (&v)[kWidth]) {
  load_elements<kWidth>(row + min(max(index, 0), extent - 1) * pixel_stride, v);
  const bool inside = counts && index >= 0 && index < extent;
  for (float& e : v) e = inside ? e : 0.0f;
}

// y = bias + sums of x over taps; kTaps of them across. A tap's weights of the block's channels lie in a row of shared
// memory with a gap behind it, so that the staging threads, which run along the taps, hit different banks.
constexpr int kGap = 4;

template <class T, int kWidth, int kTaps, int kStep>
__global__ void __launch_bounds__(kThreads)
    gf_depthwise_kernel(Image<const T> x, const T* w, int kernel_h, int kernel_w, const float* bias, Image<T> y,
                        int images, Rows phases, Axis cols, Tiles tiles) {
  constexpr int kColumns = (kStrip - 1) * kStep + kTaps;
  GF_DYN_SHARED(float, weights);
  const unsigned count = static_cast<unsigned>(phases.count);
  const Axis rows = phases.phase[blockIdx.x % count];
  const Place place(tiles, blockIdx.x / count);

  const int width = static_cast<int>(blockDim.x) * kWidth, first_c = place.channel_tile * width;
  const int kernel_taps = kernel_h * kernel_w, staged = min(width, y.c - first_c) * kernel_taps;
  for (int i = thread_of_block(); i < staged; i += threads_of_block()) {
    weights[i % kernel_taps * (width + kGap) + i / kernel_taps] = to_float(w[std::int64_t{first_c} * kernel_taps + i]);
  }
  __syncthreads();

  const int lane_c = static_cast<int>(threadIdx.x) * kWidth, c = first_c + lane_c;
  const int q0 = cols.strip_begin(place.strip);
  if (c >= y.c || q0 >= cols.outputs) return;
  float start[kWidth] = {};
  if (bias != nullptr) {
    for (int i = 0; i < kWidth; ++i) start[i] = bias[c + i];
  }
  const int lines = min(images * rows.outputs, place.first_line + tiles.lines_per_block);
  for (int line = place.first_line + static_cast<int>(threadIdx.z); line < lines;
       line += static_cast<int>(blockDim.z)) {
    const int n = line / rows.outputs, q = line - n * rows.outputs;
    float sum[kStrip][kWidth];
    for (int p = 0; p < kStrip; ++p) {
      for (int i = 0; i < kWidth; ++i) sum[p][i] = start[i];
    }
    for (int m = 0; m < rows.taps; ++m) {
      const int h = rows.source(q, m);
      if (h < 0 || h >= x.h) continue;
      float weight[kTaps][kWidth];
      for (int k = 0; k < kTaps; ++k) {
        const int tap = rows.tap_at(m) * kernel_w + cols.tap_at(k);
        read_shared<kWidth>(weights, tap * (width + kGap) + lane_c, weight[k]);
      }
      const T* row = x.row(n, h, c);
      for_constants(std::make_integer_sequence<int, kColumns>{}, [&](auto column) {
        constexpr int col = decltype(column)::value;
        float v[kWidth];
        load_or_zero<kWidth>(row, x.pixel_stride, cols.first + q0 * cols.stride + col * cols.unit, x.w, true, v);
        for (int p = 0; p < kStrip; ++p) {
          const int k = col - p * kStep;
          if (k < 0 || k >= kTaps) continue;
          for (int i = 0; i < kWidth; ++i) sum[p][i] += v[i] * weight[k][i];
        }
      });
    }
    T* row = y.row(n, rows.position(q), c);
    for (int p = 0; p < kStrip; ++p) {
      const int out = q0 + p * cols.spacing;
      if (out < cols.outputs) store_elements<kWidth>(row + cols.position(out) * y.pixel_stride, sum[p]);
    }
  }
}

// Partial sums of dw and db over a block's pixels, [pixel block][tap, the bias last][c]. blockDim.z is kernel rows
// times lines. There may be fewer than kTaps taps across; the sums of the others are not used.
template <class T, int kWidth, int kTaps, int kStep>
__global__ void __launch_bounds__(kThreads)
    gf_depthwise_weight_grad_kernel(Image<const T> x, Image<const T> dy, int images, Axis rows, Axis cols, Tiles tiles,
                                    float* partial) {
  constexpr int kColumns = (kStrip - 1) * kStep + kTaps, kBias = kTaps;
  GF_DYN_SHARED(float, sums);  // [kTaps + 1][thread][kWidth]
  const Place place(tiles, blockIdx.x);
  const int width = static_cast<int>(blockDim.x) * kWidth, first_c = place.channel_tile * width;
  const int c = first_c + static_cast<int>(threadIdx.x) * kWidth;
  const int q0 = cols.strip_begin(place.strip);
  const int m = static_cast<int>(threadIdx.z) / tiles.rows, line0 = static_cast<int>(threadIdx.z) % tiles.rows;
  const bool works = c < x.c && q0 < cols.outputs;
  const int lines = works ? min(images * rows.outputs, place.first_line + tiles.lines_per_block) : 0;
  float sum[kTaps + 1][kWidth] = {};
  for (int line = place.first_line + line0; line < lines; line += tiles.rows) {
    const int n = line / rows.outputs, q = line - n * rows.outputs, h = rows.source(q, m);
    const T *dy_row = dy.row(n, q, c), *row = x.row(n, min(max(h, 0), x.h - 1), c);
    float d[kStrip][kWidth];
    for (int p = 0; p < kStrip; ++p) {
      load_or_zero<kWidth>(dy_row, dy.pixel_stride, q0 + p * cols.spacing, dy.w, true, d[p]);
    }
    for_constants(std::make_integer_sequence<int, kColumns>{}, [&](auto column) {
      constexpr int col = decltype(column)::value;
      float v[kWidth];
      load_or_zero<kWidth>(row, x.pixel_stride, cols.first + q0 * cols.stride + col * cols.unit, x.w, h >= 0 && h < x.h,
                           v);
      for (int p = 0; p < kStrip; ++p) {
        const int k = col - p * kStep;
        if (k < 0 || k >= kTaps) continue;
        for (int i = 0; i < kWidth; ++i) sum[k][i] += v[i] * d[p][i];
      }
    });
    if (m != 0) continue;  // one group is enough for the bias
    for (int p = 0; p < kStrip; ++p) {
      for (int i = 0; i < kWidth; ++i) sum[kBias][i] += d[p][i];
    }
  }
  const int threads = threads_of_block();
  for (int k = 0; k <= kTaps; ++k) {
    for (int i = 0; i < kWidth; ++i) sums[(k * threads + thread_of_block()) * kWidth + i] = sum[k][i];
  }
  __syncthreads();
  const int taps = rows.taps * cols.taps, lanes = static_cast<int>(blockDim.x);
  const int members = tiles.rows * static_cast<int>(blockDim.y);  // threads that share channels and kernel row
  for (int o = thread_of_block(); o < (taps + 1) * width; o += threads) {
    const int ch = o % width, tap = o / width;
    if (first_c + ch >= x.c) continue;
    const int kernel_row = tap < taps ? tap / cols.taps : 0, k = tap < taps ? tap % cols.taps : kBias;
    float total = 0;
    for (int t = 0; t < members; ++t) {
      total += sums[(k * threads + (kernel_row * members + t) * lanes) * kWidth + ch];
    }
    partial[(std::int64_t{place.pixel_block} * (taps + 1) + tap) * x.c + first_c + ch] = total;
  }
}

// dw and db from the partial sums: blockDim.y threads a channel and tap, then one.
template <class T>
__global__ void gf_depthwise_merge_kernel(const float* partial, int pixel_blocks, int taps, int channels, T* dw,
                                          float* db) {
  GF_SHARED(double, sums, kThreads);
  const int c = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x), tap = static_cast<int>(blockIdx.y);
  const int x = static_cast<int>(threadIdx.x), lanes = static_cast<int>(blockDim.x);
  const int y = static_cast<int>(threadIdx.y), rows = static_cast<int>(blockDim.y);
  double sum = 0;
  if (c < channels) {
    for (int b = y; b < pixel_blocks; b += rows) {
      sum += static_cast<double>(partial[(std::int64_t{b} * (taps + 1) + tap) * channels + c]);
    }
  }
  sums[y * lanes + x] = sum;
  __syncthreads();
  if (y != 0 || c >= channels) return;
  for (int i = 1; i < rows; ++i) sum += static_cast<double>(sums[i * lanes + x]);
  const float total = static_cast<float>(sum);
  if (tap == taps) {
    db[c] = total;
  } else {
    dw[std::int64_t{c} * taps + tap] = to_element<T>(total);
  }
}

template <class T, class V>
Image<T> image(const V& v) {
  return {static_cast<T*>(v.data), v.pixel_stride, static_cast<int>(v.h), static_cast<int>(v.w), static_cast<int>(v.c)};
}

// Calls body(pack width, step) with constants; neighbouring outputs are `step` units apart in the source.
template <class T, class Body>
void with_pack_and_step(bool packs, const Axis& cols, const Body& body) {
  const auto stepped = [&](auto width) {
    if (cols.stride * cols.spacing == 2 * cols.unit) return body(width, Constant<2>{});
    body(width, Constant<1>{});
  };
  if (packs) return stepped(Constant<kPackWidth<T>>{});
  stepped(Constant<1>{});
}

template <class Body>
void with_taps(int taps, const Body& body) {
  switch (taps) {
    case 1:
      return body(Constant<1>{});
    case 2:
      return body(Constant<2>{});
    case 3:
      return body(Constant<3>{});
    case 4:
      return body(Constant<4>{});
    default:
      return body(Constant<5>{});
  }
}

// `x` is what is read and `y` what is written, whichever is the gradient.
void run(const Gpu& gpu, Rows rows, Axis cols, const ConstView& x, const ConstView& w, const ConstView& bias,
         const View& y) {
  if (cols.outputs == 0) return;
  if (cols.taps == 0) {  // no tap reaches these columns, whatever the row
    for (Axis& a : rows.phase) a.taps = 0;
    cols.taps = 1;
  }
  with_element(x.dtype, [&](auto element) {
    using T = decltype(element);
    with_pack_and_step<T>(takes_packs(x) && takes_packs(y), cols, [&](auto width, auto step) {
      const std::int64_t lines = y.n * rows.phase[0].outputs;
      Tiles tiles(y.c / width, cols.strips(), lines, 1);
      // More lines a block while there are blocks enough for every multiprocessor: fewer readers of the weights.
      constexpr std::int64_t kEnoughBlocks = 1024, kMaxSteps = 8;
      tiles.cut_lines(lines, std::clamp<std::int64_t>(tiles.blocks() * rows.count / kEnoughBlocks, 1, kMaxSteps));
      const std::size_t shared = static_cast<std::size_t>(w.h * w.w * (tiles.lanes * width + kGap)) * sizeof(float);
      with_taps(cols.taps, [&](auto taps) {
        launch(gpu, gf_depthwise_kernel<T, width, taps, step>, tiles.blocks() * rows.count,
               {tiles.lanes, tiles.strips, tiles.rows}, shared, image<const T>(x), data_as<T>(w), static_cast<int>(w.h),
               static_cast<int>(w.w), data_as<float>(bias), image<T>(y), static_cast<int>(y.n), rows, cols, tiles);
      });
    });
  });
}

void check_pixels(const char* kernel, const ConstView& v) {
  if (v.pixels() > 0x7fffffff) fail(std::string(kernel) + ": too many pixels", describe("x or y", v), "at most 2^31-1");
}

}  // namespace

void depthwise_forward(const Gpu& gpu, const ConvolutionShape& p, ConstView x, ConstView w, ConstView bias, View y) {
  check_depthwise("depthwise_forward", p, x, w, y, bias);
  require_like("depthwise_forward", "w", w, x);
  check_pixels("depthwise_forward", x);
  check_pixels("depthwise_forward", y);
  if (y.count() == 0) return;
  const Axis rows = forward_axis(y.h, w.h, p.stride_h, p.pad_h, p.dilation_h);
  run(gpu, {{rows, rows}, 1}, forward_axis(y.w, w.w, p.stride_w, p.pad_w, p.dilation_w), x, w, bias, y);
}

void depthwise_input_grad(const Gpu& gpu, const ConvolutionShape& p, ConstView dy, ConstView w, View dx) {
  check_depthwise("depthwise_input_grad", p, dx, w, dy, {});
  require_like("depthwise_input_grad", "w", w, dx);
  check_pixels("depthwise_input_grad", dx);
  check_pixels("depthwise_input_grad", dy);
  if (dx.count() == 0) return;
  const auto rows = [&](int phase) { return gradient_axis(dx.h, w.h, p.stride_h, p.pad_h, p.dilation_h, phase); };
  for (int phase = 0; phase < p.stride_w; ++phase) {
    run(gpu, {{rows(0), rows(p.stride_h - 1)}, p.stride_h},
        gradient_axis(dx.w, w.w, p.stride_w, p.pad_w, p.dilation_w, phase), dy, w, {}, dx);
  }
}

void depthwise_weight_grad(const Gpu& gpu, const ConvolutionShape& p, ConstView x, ConstView dy, View dw, View db) {
  const char* kernel = "depthwise_weight_grad";
  check_depthwise(kernel, p, x, dw, dy, db);
  check_pixels(kernel, x);
  check_pixels(kernel, dy);
  const Axis rows = forward_axis(dy.h, dw.h, p.stride_h, p.pad_h, p.dilation_h),
             cols = forward_axis(dy.w, dw.w, p.stride_w, p.pad_w, p.dilation_w);
  const std::int64_t lines = dy.n * dy.h, c = dw.n, taps = dw.h * dw.w;
  std::int64_t pixel_blocks = 0;
  float* partial = nullptr;
  with_element(x.dtype, [&](auto element) {
    using T = decltype(element);
    with_pack_and_step<T>(takes_packs(x) && takes_packs(dy), cols, [&](auto width, auto step) {
      Tiles tiles(c / width, cols.strips(), lines, static_cast<int>(dw.h));
      // Few blocks, as each writes sums of its own, but enough for every multiprocessor.
      constexpr std::int64_t kMostBlocks = 512, kMinSteps = 2;
      tiles.cut_lines(lines, std::max(kMinSteps, blocks_for(tiles.blocks(), kMostBlocks)));
      pixel_blocks = tiles.pixel_blocks();
      partial = take_workspace<float>(gpu, kernel, std::max<std::int64_t>(pixel_blocks, 1) * (taps + 1) * c);
      if (pixel_blocks == 0) return;
      const std::int64_t z = tiles.rows * dw.h, threads = tiles.lanes * tiles.strips * z;
      const auto start = [&](auto most_taps) {
        launch(gpu, gf_depthwise_weight_grad_kernel<T, width, most_taps, step>, tiles.blocks(),
               {tiles.lanes, tiles.strips, z},
               static_cast<std::size_t>((most_taps + 1) * threads * width) * sizeof(float), image<const T>(x),
               image<const T>(dy), static_cast<int>(x.n), rows, cols, tiles, partial);
      };
      if (dw.w <= 3) return start(Constant<3>{});
      start(Constant<5>{});
    });
  });
  constexpr int kLanes = 32;
  with_element(dw.dtype, [&](auto element) {
    using T = decltype(element);
    launch(gpu, gf_depthwise_merge_kernel<T>, {blocks_for(c, kLanes), taps + (db.data ? 1 : 0)},
           {kLanes, kThreads / kLanes}, 0, partial, static_cast<int>(pixel_blocks), static_cast<int>(taps),
           static_cast<int>(c), data_as<T>(dw), data_as<float>(db));
  });
}

}  // namespace gf
