#include "engine/ops/one_hot.h"

#include "engine/op_scope.h"
#include "kernels/one_hot.h"

namespace gf {

Tensor one_hot(const Tensor& label, std::int64_t classes, int ignore_index) {
  const OpScope scope("one_hot");
  const Shape& s = label.shape();
  const Tensor y = Tensor::empty({s.n, s.h, s.w, classes}, DType::f32, label.device());
  on(label.device(), [&](const auto& d) { one_hot(d, ignore_index, label.view(), y.mutable_view()); });
  return y;
}

}  // namespace gf
