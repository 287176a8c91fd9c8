#include "engine/ops/dropout.h"

#include "engine/op_scope.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "kernels/random.h"

namespace gf {
namespace {

// x times a mask of this shape.
Tensor drop(const char* name, const Tensor& x, const Shape& shape, float p, Random& random) {
  const OpScope scope(name);
  if (p < 0 || p >= 1) fail("dropout probability out of range", name, "0 <= p < 1", std::to_string(p));
  if (p == 0) return x;
  const Tensor mask = Tensor::empty(shape, x.dtype(), x.device());
  on(x.device(), [&](const auto& d) {
    dropout_mask(d, random.seed(), random.next_stream(), p, mask.mutable_view(), random.device_offset());
  });
  return x * mask;
}

}  // namespace

Tensor dropout(const Tensor& x, float p, Random& random) { return drop("dropout", x, x.shape(), p, random); }

Tensor dropout2d(const Tensor& x, float p, Random& random) {
  return drop("dropout2d", x, {x.shape().n, 1, 1, x.shape().c}, p, random);
}

}  // namespace gf
