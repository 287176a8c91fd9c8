// Labels as masks on the GPU (contract: kernels/one_hot.h).
//
//   y[p][c] = label[p] == c
//
// Memory traffic: 4 bytes of labels a pixel (read again from the caches by the threads of its other channels), 4 C
// written. Floor: 4 + 4 C bytes a pixel over the memory's bandwidth. A thread writes a pack of channels of one pixel.
#include "kernels/one_hot.h"

#include "kernels/cuda/map_items.h"
#include "kernels/loss_checks.h"

namespace gf {
namespace {

template <int kWidth>
__global__ void gf_one_hot_kernel(int ignore_index, int classes, MapItems items, Pixels<const std::int32_t> label,
                                  Pixels<float> y) {
  MapItem at;
  if (!items.take(at)) return;
  const int id = counted_class(*label.at(at.n, at.h, at.w, 0), ignore_index, classes);
  float v[kWidth];
  for (int i = 0; i < kWidth; ++i) v[i] = static_cast<int>(at.c) + i == id ? 1.0f : 0.0f;
  store_elements<kWidth>(y.at(at.n, at.h, at.w, at.c), v);
}

}  // namespace

void one_hot(const Gpu& gpu, int ignore_index, ConstView label, View y) {
  require_view("one_hot", "y", y);
  require_view("one_hot", "label", label, DType::i32);
  require_shape("one_hot", "label", label, {y.n, y.h, y.w, 1});
  if (y.count() == 0) return;
  const auto run = [&](auto width) {
    const MapItems items("one_hot", y.shape(), width);
    launch_independent(gpu, gf_one_hot_kernel<width>, items.blocks(), kItemThreads, ignore_index, static_cast<int>(y.c),
                       items, pixels_of<const std::int32_t>(label), pixels_of<float>(y));
  };
  if (takes_packs(y)) return run(std::integral_constant<int, kPackWidth<float>>{});
  run(std::integral_constant<int, 1>{});
}

}  // namespace gf
