// Resizing on the GPU (contract: kernels/resize.h).
//
//   y[n,i,j,c] = sum over the at most 2 x 2 pixels around (i,j)'s source position of weight * x[n,.,.,c]
//   backward: dx[n,i,j,c] = sum over the outputs that read (i,j) of the same weights * dy[n,.,.,c]
//
// Memory traffic, b bytes an element (4 in float32, 2 in bf16): both maps once; what neighbouring pixels read again
// comes from the caches. Floor: b * (|x| + |y|) bytes over the memory's bandwidth.
//
// Positions and weights come from resize_axis.h, as on the CPU. Forward: a thread takes a pack of channels of one
// output pixel and has its four reads under way at once; a pixel of weight 0 is not read. Backward gathers: the outputs
// that read a pixel are a rectangle (rectangle_sum.h), so nothing is scattered and the order of sums is fixed.
#include "kernels/cuda/rectangle_sum.h"
#include "kernels/resize_axis.h"

namespace gf {
namespace {

template <class T, int kWidth>
__global__ void gf_resize_kernel(ResizeAxis rows, ResizeAxis columns, MapItems items, Pixels<const T> x, Pixels<T> y) {
  MapItem at;
  if (!items.take(at)) return;
  const ResizeAxis::Source h = rows.source(at.h), w = columns.source(at.w);
  const bool below = h.fraction != 0.0f, right = w.fraction != 0.0f;
  float v00[kWidth], v01[kWidth] = {}, v10[kWidth] = {}, v11[kWidth] = {};
  load_elements<kWidth>(x.at(at.n, h.low, w.low, at.c), v00);
  if (right) load_elements<kWidth>(x.at(at.n, h.low, w.low + 1, at.c), v01);
  if (below) load_elements<kWidth>(x.at(at.n, h.low + 1, w.low, at.c), v10);
  if (below && right) load_elements<kWidth>(x.at(at.n, h.low + 1, w.low + 1, at.c), v11);
  const float w00 = (1.0f - h.fraction) * (1.0f - w.fraction), w01 = (1.0f - h.fraction) * w.fraction,
              w10 = h.fraction * (1.0f - w.fraction), w11 = h.fraction * w.fraction;
  float out[kWidth];
  for (int i = 0; i < kWidth; ++i) out[i] = w00 * v00[i] + w01 * v01[i] + w10 * v10[i] + w11 * v11[i];
  store_elements<kWidth>(y.at(at.n, at.h, at.w, at.c), out);
}

struct ResizeAdjoint {
  struct Span {
    int first, last, position;
    ResizeAxis axis;
    __device__ float weight(int o) const { return axis.weight(position, o); }
  };

  ResizeAxis axis;
  int longest;

  ResizeAdjoint(ResizeMode mode, std::int64_t in, std::int64_t out)
      : axis(mode, in, out), longest(axis.most_readers()) {}
  __device__ Span span(int i) const {
    const ResizeAxis::Readers readers = axis.readers(i);
    return {readers.first, readers.last, i, axis};
  }
};

}  // namespace

void resize_forward(const Gpu& gpu, ResizeMode mode, ConstView x, View y) {
  require_float("resize_forward", "x", x);
  check_resize("resize_forward", x.dtype, "x", x, "y", y);
  if (y.count() == 0) return;
  const ResizeAxis rows(mode, x.h, y.h), columns(mode, x.w, y.w);
  with_items(x.dtype, takes_packs(x) && takes_packs(y), [&](auto element, auto width) {
    using T = decltype(element);
    const MapItems items("resize_forward", y.shape(), width);
    launch_independent(gpu, gf_resize_kernel<T, width>, items.blocks(), kItemThreads, rows, columns, items,
                       pixels_of<const T>(x), pixels_of<T>(y));
  });
}

void resize_backward(const Gpu& gpu, ResizeMode mode, ConstView dy, View dx) {
  require_float("resize_backward", "dy", dy);
  check_resize("resize_backward", dy.dtype, "dx", dx, "dy", dy);
  if (dx.count() == 0) return;
  const Rectangles<ResizeAdjoint> readers{{mode, dx.h, dy.h}, {mode, dx.w, dy.w}};
  sum_rectangles(gpu, "resize_backward", readers, dy, dx);
}

}  // namespace gf
