#include "engine/ops/dropout.h"

#include "engine/op_scope.h"

#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "kernels/random.h"

namespace gf {

Tensor dropout2d(const Tensor& x, float p, Random& random) {
  const OpScope scope("dropout2d");
  if (p < 0 || p >= 1) fail("dropout probability out of range", "dropout2d", "0 <= p < 1", std::to_string(p));
  if (p == 0) return x;
  const Shape& s = x.shape();
  const Tensor mask = Tensor::empty({s.n, 1, 1, s.c}, x.dtype(), x.device());
  on(x.device(), [&](const auto& d) {
    dropout_mask(d, random.seed(), random.next_stream(), p, mask.mutable_view(), random.device_offset());
  });
  return x * mask;
}

}  // namespace gf
