#include "engine/ops/random.h"

#include "engine/op_scope.h"
#include "kernels/random.h"

namespace gf {

Tensor random_uniform(const Shape& shape, float low, float high, Random& random, const Device& device) {
  const OpScope scope("random_uniform");
  const Tensor y = Tensor::empty(shape, DType::f32, device);
  on(device, [&](const auto& d) {
    random_uniform(d, random.seed(), random.next_stream(), low, high, y.mutable_view(), random.device_offset());
  });
  return y;
}

Tensor random_normal(const Shape& shape, float mean, float deviation, Random& random, const Device& device) {
  const OpScope scope("random_normal");
  const Tensor y = Tensor::empty(shape, DType::f32, device);
  on(device, [&](const auto& d) {
    random_normal(d, random.seed(), random.next_stream(), mean, deviation, y.mutable_view(), random.device_offset());
  });
  return y;
}

}  // namespace gf
