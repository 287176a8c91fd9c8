#include "kernels/softmax.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/softmax.h"

namespace gf {
namespace {

Shape without_channels(const Shape& s) { return {s.n, s.h, s.w, 1}; }

// dx = y (dy - sum_c dy y). One kernel, or the same in ops where the gradient itself is taped.
Tensor softmax_gradient(const Tensor& y, const Tensor& dy) {
  if (recording()) return y * (dy - sum_to(dy * y, without_channels(y.shape())));
  const Tensor dx = Tensor::empty(y.shape(), y.dtype(), y.device());
  on(y.device(), [&](const auto& d) { softmax_backward(d, y.view(), dy.view(), dx.mutable_view()); });
  return dx;
}

}  // namespace

Tensor softmax(const Tensor& x) {
  const OpScope scope("softmax");
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { softmax(d, x.view(), y.mutable_view()); });
  // In bf16 the gradient is worked from x in float32: y's rounding would be most of a difference that cancels.
  if (x.dtype() == DType::bf16)
    return record("softmax", y, {x}, [x](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
      return {cast(softmax_gradient(softmax(cast(x, DType::f32)), cast(dy, DType::f32)), DType::bf16)};
    });
  return record("softmax", y, {x}, [x, y = y.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    return {softmax_gradient(recording() ? softmax(x) : y, dy)};
  });
}

// dx = dy - softmax(x) sum_c dy
Tensor log_softmax(const Tensor& x) {
  const OpScope scope("log_softmax");
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { log_softmax(d, x.view(), y.mutable_view()); });
  return record("log_softmax", y, {x}, [x](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    return {dy - softmax(x) * sum_to(dy, without_channels(dy.shape()))};
  });
}

Tensor argmax_channels(const Tensor& x) {
  const OpScope scope("argmax_channels");
  const Tensor y = Tensor::empty(without_channels(x.shape()), DType::i32, x.device());
  on(x.device(), [&](const auto& d) { argmax_channels(d, x.view(), y.mutable_view()); });
  return y;
}

}  // namespace gf
