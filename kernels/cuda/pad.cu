// Zeros below and to the right of a map, and the way back, on the GPU (contract: kernels/pad.h).
//
//   y[n,i,j,c] = x[n,i,j,c] where x has a pixel (i,j), else 0
//
// Memory traffic: what both maps have is read once, y written once. Floor: those bytes over the memory's bandwidth. A
// thread takes an element of y, or 16 bytes of neighbouring channels.
#include "kernels/pad.h"

#include "kernels/cuda/map_items.h"
#include "kernels/pad_checks.h"

namespace gf {
namespace {

// Items of y.
template <class T, int kWidth>
__global__ void gf_copy_corner_kernel(MapItems items, Pixels<const T> x, Pixels<T> y) {
  MapItem at;
  if (!items.take(at)) return;
  float v[kWidth] = {};
  if (at.h < x.h && at.w < x.w) load_elements<kWidth>(x.at(at.n, at.h, at.w, at.c), v);
  store_elements<kWidth>(y.at(at.n, at.h, at.w, at.c), v);
}

void copy_corner(const Gpu& gpu, const char* kernel, const ConstView& x, const View& y) {
  if (y.count() == 0) return;
  with_items(x.dtype, takes_packs(x) && takes_packs(y), [&](auto element, auto width) {
    using T = decltype(element);
    const MapItems items(kernel, y.shape(), width);
    launch_independent(gpu, gf_copy_corner_kernel<T, width>, items.blocks(), kItemThreads, items, pixels_of<const T>(x),
                       pixels_of<T>(y));
  });
}

}  // namespace

void pad_corner(const Gpu& gpu, ConstView x, View y) {
  require_corner("pad_corner", "x", x, "y", y);
  copy_corner(gpu, "pad_corner", x, y);
}

void crop_corner(const Gpu& gpu, ConstView x, View y) {
  require_corner("crop_corner", "y", y, "x", x);
  copy_corner(gpu, "crop_corner", x, y);
}

}  // namespace gf
