// Height and width exchanged on the GPU (contract: kernels/swap_axes.h): y[n,j,i,c] = x[n,i,j,c].
//
// Memory traffic: both maps once, 2 * b bytes an element (b: 4, bf16: 2). Floor: those bytes over the memory's
// bandwidth. Channels stay together, so a pixel's are read and written as they lie, in packs of 16 bytes where that is
// possible: with 64 channels a pixel is two to eight whole sectors, and no tile in shared memory is needed.
#include "kernels/swap_axes.h"

#include "kernels/cuda/map_items.h"

namespace gf {
namespace {

// Items of y.
template <class T, int kWidth>
__global__ void gf_swap_height_width_kernel(MapItems items, Pixels<const T> x, Pixels<T> y) {
  MapItem at;
  if (!items.take(at)) return;
  float v[kWidth];
  load_elements<kWidth>(x.at(at.n, at.w, at.h, at.c), v);
  store_elements<kWidth>(y.at(at.n, at.h, at.w, at.c), v);
}

}  // namespace

void swap_height_width(const Gpu& gpu, ConstView x, View y) {
  const char* kernel = "swap_height_width";
  require_float(kernel, "x", x);
  require_like(kernel, "y", y, x);
  require_shape(kernel, "y", y, {x.n, x.w, x.h, x.c});
  if (x.count() == 0) return;
  with_items(x.dtype, takes_packs(x) && takes_packs(y), [&](auto element, auto width) {
    using T = decltype(element);
    const MapItems items(kernel, y.shape(), width);
    launch_independent(gpu, gf_swap_height_width_kernel<T, width>, items.blocks(), kItemThreads, items,
                       pixels_of<const T>(x), pixels_of<T>(y));
  });
}

}  // namespace gf
