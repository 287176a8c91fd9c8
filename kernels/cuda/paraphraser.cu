// The paraphraser's encoder on tensor cores (contract: kernels/paraphraser.h).
//
//   y[p,o] = leaky(b[o] + sum over taps t and i of x[p + t, i] * w[o,t,i])       an implicit matrix product:
//   pixels x (taps * in) times (taps * in) x out, whose left factor is never written out
//
// Memory traffic: x, w and y once from device memory, 2*(n*h*w*(in + out) + 9*in*out) bytes; a block reads its pixels
// with a rim of one (180 for 128) and all weights of its outputs, from the caches. Work: 18*n*h*w*in*out operations. At
// 256 -> 256 channels that is 2304 operations a byte: the floor is the tensor cores' rate; at 256 -> 24 it is 395,
// about where the two limits of a large GPU meet.
//
// A block of 8 warps owns 8 x 16 pixels and up to 64 output channels. It walks through the input channels, 16 at a
// time: pixels with their rim and the weights of all nine taps go to shared memory, then every tap is one 16 x 16 x 16
// product per row of 16 pixels and 16 outputs. A tap's left factor is the staged picture itself, begun one pixel
// further on, so nothing is copied for it. The narrow layers run as one kernel: the first leaves an 8 x 16 patch of its
// rounded output in shared memory, from which the second makes the 6 x 14 pixels that have all their neighbours there.
#include "kernels/paraphraser.h"

#include "kernels/cuda/element.h"
#include "kernels/cuda/mma.h"

namespace gf {
namespace {

constexpr int kThreads = 256, kWarps = 8;
constexpr int kRows = 8, kColumns = 16;                           // pixels of a block
constexpr int kRimColumns = kColumns + 2;                         // with the rim
constexpr int kStaged = (kRows + 2) * kRimColumns;                // staged pixels
constexpr int kChunk = 16;                                        // input channels staged at a time
constexpr int kPack = kPackWidth<bf16>, kPacks = kChunk / kPack;  // 16 bytes of channels
constexpr int kTaps = 9;
constexpr int kPatch = 16 * 16;  // one warp's tile on its way out

struct Picture {
  const bf16* data;
  std::int64_t pixel_stride;
  int h, w, c;
  bool in_packs;

  __device__ bool has(int y, int x) const { return y >= 0 && y < h && x >= 0 && x < w; }
};

struct Weights {
  const bf16* w;
  const float* bias;
  int in, out;
  bool in_packs;
};

struct Result {
  bf16* data;
  std::int64_t pixel_stride;
  int h, w, c;
};

struct alignas(16) Pack {
  bf16 e[kPack];
};

// Channels c, c + 1, ... c + 7 of a row of `count`, zero behind its end.
__device__ inline Pack read_pack(const bf16* row, int c, int count, bool in_packs) {
  if (in_packs && c + kPack <= count) return load16<Pack>(row + c);
  Pack p;
  for (int i = 0; i < kPack; ++i) p.e[i] = c + i < count ? row[c + i] : bf16{0};
  return p;
}

__device__ inline float leaky(float v, float slope) { return v > 0.0f ? v : slope * v; }

// staged[pixel][16]: rows y0.. and columns x0.. of image n, zero outside the picture.
template <class Staged>
__device__ void stage_pixels(const Picture& x, int n, int y0, int x0, int c, Staged staged) {
  for (int i = static_cast<int>(threadIdx.x); i < kStaged * kPacks; i += kThreads) {
    const int pixel = i / kPacks, first = i % kPacks * kPack;
    const int y = y0 + pixel / kRimColumns, xx = x0 + pixel % kRimColumns;
    Pack p{};
    if (x.has(y, xx)) {
      const bf16* row = x.data + ((std::int64_t{n} * x.h + y) * x.w + xx) * x.pixel_stride;
      p = read_pack(row, c + first, x.c, x.in_packs);
    }
    store16(staged, pixel * kChunk + first, p);
  }
}

// staged[tap][kOutputs][16] from output channel `first_out` on, zero behind the last.
template <int kOutputs, class Staged>
__device__ void stage_weights(const Weights& w, int first_out, int c, Staged staged) {
  for (int i = static_cast<int>(threadIdx.x); i < kTaps * kOutputs * kPacks; i += kThreads) {
    const int row = i / kPacks, first = i % kPacks * kPack;
    const int tap = row / kOutputs, out = first_out + row % kOutputs;
    Pack p{};
    if (out < w.out) p = read_pack(w.w + (std::int64_t{out} * kTaps + tap) * w.in, c + first, w.in, w.in_packs);
    store16(staged, row * kChunk + first, p);
  }
}

// sum(row, column tile) += staged pixels times staged weights, for kTileRows rows from `row` on and kTileColumns times
// 16 outputs from `out` on. A pixel of the staged picture lies `stride` elements from the next, a row of it `columns`
// pixels; its channels begin at `channel`.
template <int kOutputs, int kTileRows, int kTileColumns, class Pixels, class StagedWeights>
__device__ void multiply_taps(mma::Accumulator (&sum)[kTileRows][kTileColumns], Pixels pixels, int stride, int columns,
                              int channel, StagedWeights weights, int row, int out) {
  for (int tap = 0; tap < kTaps; ++tap) {
    mma::FragmentA a[kTileRows];
    mma::FragmentB b[kTileColumns];
    for (int r = 0; r < kTileRows; ++r)
      mma::load(a[r], pixels, ((row + r + tap / 3) * columns + tap % 3) * stride + channel, stride);
    for (int k = 0; k < kTileColumns; ++k) mma::load(b[k], weights, (tap * kOutputs + out + 16 * k) * kChunk, kChunk);
    for (int r = 0; r < kTileRows; ++r)
      for (int k = 0; k < kTileColumns; ++k) mma::multiply_add(sum[r][k], a[r], b[k]);
  }
}

// A finished tile of 16 pixels x 16 outputs, through the warp's own patch of shared memory: each lane takes half a
// pixel's outputs, adds the bias, and hands them to write(pixel, output, pack).
template <class Patch, class Write>
__device__ void finish_tile(const mma::Accumulator& sum, Patch patch, const Weights& w, float slope, int out,
                            const Write& write) {
  const int lane = static_cast<int>(threadIdx.x % 32), base = static_cast<int>(threadIdx.x / 32) * kPatch;
  __syncwarp();
  mma::store(patch, base, 16, sum);
  __syncwarp();
  const int pixel = lane / 2, first = lane % 2 * kPack;
  Pack p;
  for (int i = 0; i < kPack; ++i) {
    const float v = patch[base + pixel * 16 + first + i];
    const int o = out + first + i;
    p.e[i] = to_bf16(leaky(v + (o < w.out ? w.bias[o] : 0.0f), slope));
  }
  write(pixel, out + first, p);
}

__device__ inline void write_pack(const Result& y, int n, int row, int column, int out, bool in_packs, const Pack& p) {
  if (row >= y.h || column >= y.w) return;
  bf16* to = y.data + ((std::int64_t{n} * y.h + row) * y.w + column) * y.pixel_stride;
  if (in_packs && out + kPack <= y.c) return store16(to + out, p);
  for (int i = 0; i < kPack; ++i)
    if (out + i < y.c) to[out + i] = p.e[i];
}

// Outputs in tiles of kOutputs (32 or 64). A warp has two tiles of 16 outputs beside each other and as many rows as
// that leaves: 8 warps x 1 row, or 4 x 2 rows with the other four on the outputs' second half.
template <int kOutputs>
__global__ void __launch_bounds__(kThreads)
    gf_paraphraser_layer_kernel(Picture x, Weights w, float slope, int tiles_across, bool packs_out, Result y) {
  constexpr int kHalves = kOutputs / 32, kTileRows = kHalves;
  GF_SHARED(bf16, pixels, kStaged * kChunk);
  GF_SHARED(bf16, weights, kTaps * kOutputs * kChunk);
  GF_SHARED(float, patch, kWarps* kPatch);
  const int n = static_cast<int>(blockIdx.z), first_out = static_cast<int>(blockIdx.y) * kOutputs;
  const int y0 = static_cast<int>(blockIdx.x) / tiles_across * kRows;
  const int x0 = static_cast<int>(blockIdx.x) % tiles_across * kColumns;
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int row = warp / kHalves * kTileRows, out = warp % kHalves * 32;

  mma::Accumulator sum[kTileRows][2];
  for (auto& r : sum)
    for (auto& s : r) mma::zero(s);
  for (int c = 0; c < x.c; c += kChunk) {
    stage_pixels(x, n, y0 - 1, x0 - 1, c, pixels);
    stage_weights<kOutputs>(w, first_out, c, weights);
    __syncthreads();
    multiply_taps<kOutputs>(sum, pixels, kChunk, kRimColumns, 0, weights, row, out);
    __syncthreads();
  }
  for (int r = 0; r < kTileRows; ++r)
    for (int k = 0; k < 2; ++k)
      finish_tile(sum[r][k], patch, w, slope, first_out + out + 16 * k, [&](int pixel, int o, const Pack& p) {
        write_pack(y, n, y0 + row + r, x0 + pixel, o, packs_out, p);
      });
}

constexpr int kNarrow = static_cast<int>(kMaxFactors);
constexpr int kOutRows = kRows - 2, kOutColumns = kColumns - 2;  // pixels of a block after the second layer
// The patch between the layers: its pixels lie 48 elements apart, so that the rows of a tile fall on other banks, and
// two columns more than it has keep the last tap's tile inside it.
constexpr int kBetweenStride = kNarrow + 16;

__global__ void __launch_bounds__(kThreads) gf_paraphraser_narrow_kernel(Picture x, Weights w1, Weights w2, float slope,
                                                                         int tiles_across, bool packs_out, Result y) {
  GF_SHARED(bf16, pixels, kStaged * kChunk);
  GF_SHARED(bf16, weights, kTaps * kNarrow * kChunk);
  GF_SHARED(bf16, between, kRows * kRimColumns * kBetweenStride);
  GF_SHARED(float, patch, kWarps* kPatch);
  const int n = static_cast<int>(blockIdx.z);
  const int y0 = static_cast<int>(blockIdx.x) / tiles_across * kOutRows;
  const int x0 = static_cast<int>(blockIdx.x) % tiles_across * kOutColumns;
  const int row = static_cast<int>(threadIdx.x / 32);  // a warp has one row of either layer

  mma::Accumulator sum[1][2];
  for (auto& s : sum[0]) mma::zero(s);
  for (int c = 0; c < x.c; c += kChunk) {
    stage_pixels(x, n, y0 - 2, x0 - 2, c, pixels);
    stage_weights<kNarrow>(w1, 0, c, weights);
    __syncthreads();
    multiply_taps<kNarrow>(sum, pixels, kChunk, kRimColumns, 0, weights, row, 0);
    __syncthreads();
  }
  // What lies outside the picture is the second layer's zero padding, not the first layer's output.
  for (int k = 0; k < 2; ++k)
    finish_tile(sum[0][k], patch, w1, slope, 16 * k, [&](int pixel, int o, const Pack& p) {
      const bool inside = x.has(y0 - 1 + row, x0 - 1 + pixel);
      store16(between, (row * kRimColumns + pixel) * kBetweenStride + o, inside ? p : Pack{});
    });
  for (int i = static_cast<int>(threadIdx.x); i < kRows * 2 * kNarrow / kPack; i += kThreads) {
    const int pixel = i / (kNarrow / kPack), o = i % (kNarrow / kPack) * kPack;
    store16(between, (pixel / 2 * kRimColumns + kColumns + pixel % 2) * kBetweenStride + o, Pack{});
  }
  for (auto& s : sum[0]) mma::zero(s);
  for (int c = 0; c < kNarrow; c += kChunk) {
    stage_weights<kNarrow>(w2, 0, c, weights);
    __syncthreads();
    if (row < kOutRows) multiply_taps<kNarrow>(sum, between, kBetweenStride, kRimColumns, c, weights, row, 0);
    __syncthreads();
  }
  if (row >= kOutRows) return;
  for (int k = 0; k < 2; ++k)
    finish_tile(sum[0][k], patch, w2, slope, 16 * k, [&](int pixel, int o, const Pack& p) {
      if (pixel < kOutColumns) write_pack(y, n, y0 + row, x0 + pixel, o, packs_out, p);
    });
}

// One thread an output, straight from the formula.
__global__ void gf_paraphraser_layer_naive_kernel(Picture x, Weights w, float slope, Result y) {
  const int o = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (o >= y.c) return;
  const int column = static_cast<int>(blockIdx.y) % y.w, row = static_cast<int>(blockIdx.y) / y.w;
  const int n = static_cast<int>(blockIdx.z);
  float sum = 0;
  for (int tap = 0; tap < kTaps; ++tap) {
    const int yy = row + tap / 3 - 1, xx = column + tap % 3 - 1;
    if (!x.has(yy, xx)) continue;
    const bf16* pixel = x.data + ((std::int64_t{n} * x.h + yy) * x.w + xx) * x.pixel_stride;
    const bf16* weight = w.w + (std::int64_t{o} * kTaps + tap) * w.in;
    for (int i = 0; i < w.in; ++i) sum += to_float(pixel[i]) * to_float(weight[i]);
  }
  y.data[((std::int64_t{n} * y.h + row) * y.w + column) * y.pixel_stride + o] = to_bf16(leaky(sum + w.bias[o], slope));
}

Weights checked_weights(const char* kernel, const char* name, const ConstView& w, const ConstView& bias,
                        std::int64_t in, std::int64_t out) {
  require_view(kernel, name, w, DType::bf16);
  require_shape(kernel, name, w, {out, 3, 3, in});
  require_dense(kernel, name, w);
  require_vector(kernel, "bias", bias, out);
  const ConstView rows(w.data, w.dtype, Shape{1, 1, out * kTaps, in});
  return {data_as<bf16>(w), data_as<float>(bias), static_cast<int>(in), static_cast<int>(out),
          starts_at_16_bytes(rows)};
}

Picture checked_picture(const char* kernel, const ConstView& x, const View& y) {
  require_view(kernel, "x", x, DType::bf16);
  require_view(kernel, "y", y, DType::bf16);
  require_shape(kernel, "y", y, {x.n, x.h, x.w, y.c});
  if (x.n > 65535 || x.h * x.w > 0x7fffffff)
    fail(std::string(kernel) + ": too many pixels", describe("x", x), "at most 65535 pictures of 2^31-1 pixels");
  return {data_as<bf16>(x),      x.pixel_stride,        static_cast<int>(x.h),
          static_cast<int>(x.w), static_cast<int>(x.c), starts_at_16_bytes(x)};
}

Result result_of(const View& y) {
  return {data_as<bf16>(y), y.pixel_stride, static_cast<int>(y.h), static_cast<int>(y.w), static_cast<int>(y.c)};
}

}  // namespace

void paraphraser_layer(const Gpu& gpu, float slope, ConstView x, ConstView w, ConstView bias, View y) {
  const char* kernel = "paraphraser_layer";
  const Picture picture = checked_picture(kernel, x, y);
  const Weights weights = checked_weights(kernel, "w", w, bias, x.c, y.c);
  if (y.count() == 0) return;
  const std::int64_t across = blocks_for(y.w, kColumns), down = blocks_for(y.h, kRows);
  const auto run = [&](auto body, std::int64_t outputs) {
    launch(gpu, body, {across * down, blocks_for(y.c, outputs), y.n}, kThreads, 0, picture, weights, slope,
           static_cast<int>(across), starts_at_16_bytes(y), result_of(y));
  };
  if (y.c > 32) return run(gf_paraphraser_layer_kernel<64>, 64);
  run(gf_paraphraser_layer_kernel<32>, 32);
}

void paraphraser_layer_naive(const Gpu& gpu, float slope, ConstView x, ConstView w, ConstView bias, View y) {
  const char* kernel = "paraphraser_layer_naive";
  const Picture picture = checked_picture(kernel, x, y);
  const Weights weights = checked_weights(kernel, "w", w, bias, x.c, y.c);
  if (y.h * y.w > 65535) fail("paraphraser_layer_naive: too many pixels", describe("y", y), "at most 65535 a picture");
  if (y.count() == 0) return;
  launch_independent(gpu, gf_paraphraser_layer_naive_kernel, {blocks_for(y.c, 32), y.h * y.w, y.n}, 32, picture,
                     weights, slope, result_of(y));
}

void paraphraser_narrow_layers(const Gpu& gpu, float slope, ConstView x, ConstView w1, ConstView bias1, ConstView w2,
                               ConstView bias2, View y) {
  const char* kernel = "paraphraser_narrow_layers";
  const Picture picture = checked_picture(kernel, x, y);
  if (y.c > kMaxFactors)
    fail("paraphraser_narrow_layers: too many factors", describe("y", y), std::to_string(kMaxFactors) + " at most",
         std::to_string(y.c), "run the layers one by one");
  const Weights first = checked_weights(kernel, "w1", w1, bias1, x.c, y.c);
  const Weights second = checked_weights(kernel, "w2", w2, bias2, y.c, y.c);
  if (y.count() == 0) return;
  const std::int64_t across = blocks_for(y.w, kOutColumns), down = blocks_for(y.h, kOutRows);
  launch(gpu, gf_paraphraser_narrow_kernel, {across * down, 1, y.n}, kThreads, 0, picture, first, second, slope,
         static_cast<int>(across), starts_at_16_bytes(y), result_of(y));
}

}  // namespace gf
