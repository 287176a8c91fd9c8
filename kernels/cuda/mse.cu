// Mean squared error on the GPU (contract: kernels/losses.h).
//
//   loss = sum (a - b)^2 / count        da = upstream * 2 (a - b) / count
//
// Memory traffic, b bytes an element (4 in float32, 2 in bf16): the loss reads two, 2 * b; the gradient reads two and
// writes one, 3 * b. Floor: those bytes over the memory's bandwidth.
//
// Threads lie along the channels, 16 bytes each where alignment and strides allow, and walk over their share of the
// tensor; one without gaps is walked as one long row. Loss: blocks leave partial sums, one block merges them.
#include "kernels/cuda/loss_sums.h"
#include "kernels/cuda/pixel_row.h"
#include "kernels/loss_checks.h"

namespace gf {
namespace {

constexpr int kThreads = 256;

struct Extent {
  std::int64_t c;
  unsigned pixels;
};

// body(pixel, channel) for this thread's packs of kWidth channels.
template <int kWidth, class Body>
__device__ void walk(const Extent& extent, const Body& body) {
  for (unsigned pixel = blockIdx.y * blockDim.y + threadIdx.y; pixel < extent.pixels; pixel += gridDim.y * blockDim.y) {
    const std::int64_t first = (std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWidth,
                       step = std::int64_t{gridDim.x} * blockDim.x * kWidth;
    for (std::int64_t c = first; c < extent.c; c += step) body(pixel, c);
  }
}

template <class T, int kWidth>
__global__ void gf_mse_kernel(Extent extent, Rows<const T> a, Rows<const T> b, float* partial) {
  GF_SHARED(float, scratch, kThreads / 32);
  float sums[1] = {};
  walk<kWidth>(extent, [&](unsigned pixel, std::int64_t c) {
    float va[kWidth], vb[kWidth];
    load_elements<kWidth>(a.at(pixel) + c, va);
    load_elements<kWidth>(b.at(pixel) + c, vb);
    for (int i = 0; i < kWidth; ++i) sums[0] += (va[i] - vb[i]) * (va[i] - vb[i]);
  });
  store_block_sums(sums, scratch, partial);
}

template <class T, int kWidth>
__global__ void gf_mse_backward_kernel(Extent extent, Rows<const T> a, Rows<const T> b, double factor,
                                       const float* upstream, Rows<T> da) {
  const auto scale = static_cast<float>(factor * static_cast<double>(*upstream));
  walk<kWidth>(extent, [&](unsigned pixel, std::int64_t c) {
    float va[kWidth], vb[kWidth];
    load_elements<kWidth>(a.at(pixel) + c, va);
    load_elements<kWidth>(b.at(pixel) + c, vb);
    for (int i = 0; i < kWidth; ++i) va[i] = scale * (va[i] - vb[i]);
    store_elements<kWidth>(da.at(pixel) + c, va);
  });
}

// A thread takes a few packs; more blocks than kMostBlocks would only make the merge long.
struct Share {
  Extent extent;
  LaunchSize grid{1}, block{1};

  Share(Extent e, int width) : extent(e) {
    constexpr std::int64_t kPacksAThread = 4, kMostBlocks = 2048;
    const std::int64_t row = e.c / width;
    while (block.x < row && block.x < kThreads) block.x *= 2;
    block.y = kThreads / block.x;
    grid.x = std::clamp<std::int64_t>(blocks_for(row, block.x * (e.pixels == 1 ? kPacksAThread : 1)), 1, kMostBlocks);
    grid.y = std::clamp<std::int64_t>(blocks_for(e.pixels, block.y * kPacksAThread), 1, kMostBlocks / grid.x);
  }
};

// body(element, width as a type, share) for views of one shape; gaps: whether some view has any.
template <class Body>
void with_share(const ConstView& v, bool gaps, bool in_packs, const Body& body) {
  const Extent extent = gaps ? Extent{v.c, static_cast<unsigned>(v.pixels())} : Extent{v.count(), 1};
  with_element(v.dtype, [&](auto element) {
    constexpr int kWidth = kPackWidth<decltype(element)>;
    if (in_packs && extent.c % kWidth == 0)
      return body(element, std::integral_constant<int, kWidth>{}, Share(extent, kWidth));
    body(element, std::integral_constant<int, 1>{}, Share(extent, 1));
  });
}

// Whether packs of the view may be read, whatever the number of its channels.
bool starts_aligned(const ConstView& v) {
  return v.dense() ? reinterpret_cast<std::uintptr_t>(v.data) % 16 == 0 : starts_at_16_bytes(v);
}

}  // namespace

void mse_forward(const Gpu& gpu, ConstView a, ConstView b, View loss) {
  const char* kernel = "mse_forward";
  require_float(kernel, "a", a);
  require_mse(kernel, a, b);
  require_scalar(kernel, "loss", loss);
  require_countable_pixels(kernel, "a", a);
  const double factor = 1.0 / static_cast<double>(std::max<std::int64_t>(1, a.count()));
  const bool gaps = !a.dense() || !b.dense();
  with_share(a, gaps, starts_aligned(a) && starts_aligned(b), [&](auto element, auto width, const Share& share) {
    using T = decltype(element);
    const std::int64_t blocks = share.grid.x * share.grid.y;
    float* partial = take_workspace<float>(gpu, kernel, blocks);
    launch(gpu, gf_mse_kernel<T, width()>, share.grid, share.block, 0, share.extent, rows_of<const T>(a),
           rows_of<const T>(b), partial);
    launch(gpu, gf_merge_loss_kernel<float>, 1, kMergeThreads, 0, partial, static_cast<unsigned>(blocks), factor,
           data_as<float>(loss));
  });
}

void mse_backward(const Gpu& gpu, ConstView a, ConstView b, ConstView upstream, View da) {
  const char* kernel = "mse_backward";
  require_float(kernel, "a", a);
  require_mse(kernel, a, b);
  require_gradient(kernel, "a", a, "da", da, upstream);
  require_countable_pixels(kernel, "a", a);
  if (a.count() == 0) return;
  const double factor = 2.0 / static_cast<double>(a.count());
  const bool gaps = !a.dense() || !b.dense() || !da.dense(),
             aligned = starts_aligned(a) && starts_aligned(b) && starts_aligned(da);
  with_share(a, gaps, aligned, [&](auto element, auto width, const Share& share) {
    using T = decltype(element);
    launch_independent(gpu, gf_mse_backward_kernel<T, width()>, share.grid, share.block, share.extent,
                       rows_of<const T>(a), rows_of<const T>(b), factor, data_as<float>(upstream), rows_of<T>(da));
  });
}

}  // namespace gf
