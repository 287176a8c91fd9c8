#include "kernels/one_hot.h"

#include "kernels/loss_checks.h"
#include "kernels/parallel.h"

namespace gf {

void one_hot(const Cpu&, int ignore_index, ConstView label, View y) {
  require_view("one_hot", "y", y);
  require_view("one_hot", "label", label, DType::i32);
  require_shape("one_hot", "label", label, {y.n, y.h, y.w, 1});
  const std::int32_t* ids = data_as<std::int32_t>(label);
  float* py = data_as<float>(y);
  constexpr std::int64_t kGrain = 4096;
  parallel_for(y.pixels(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t id = counted_class(ids[p * label.pixel_stride], ignore_index, y.c);
      float* to = py + p * y.pixel_stride;
      for (std::int64_t c = 0; c < y.c; ++c) to[c] = c == id ? 1.0f : 0.0f;
    }
  });
}

}  // namespace gf
