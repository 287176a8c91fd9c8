#include "engine/ops/activation.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/op_trace.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/unary.h"

namespace gf {
namespace {

// dy * f'(x) by one kernel, off the tape.
Tensor apply_backward(Unary op, float p, const Tensor& x, const Tensor& dy) {
  Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { unary_backward(d, op, p, x.view(), dy.view(), dx.mutable_view()); });
  return dx;
}

// For f piecewise linear: linear in dy, and f'' = 0 almost everywhere, so its own derivative is itself.
Tensor piecewise_linear_backward(Unary op, float p, const Tensor& x, const Tensor& dy) {
  const OpScope scope("piecewise_linear_backward");
  return record("piecewise_linear_backward", apply_backward(op, p, x, dy), {dy},
                [op, p, x](const Tensor& g, const Needs&) -> std::vector<Tensor> {
                  return {piecewise_linear_backward(op, p, x, g)};
                });
}

Tensor piecewise_linear(const char* name, Unary op, float p, const Tensor& x) {
  const OpScope scope(name);
  return record(name, apply_unary(op, p, x), {x},
                [op, p, x = x.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
                  return {piecewise_linear_backward(op, p, x, dy)};
                });
}

}  // namespace

Tensor relu(const Tensor& x) { return piecewise_linear("relu", Unary::relu, 0, x); }
Tensor leaky_relu(const Tensor& x, float slope) { return piecewise_linear("leaky_relu", Unary::leaky_relu, slope, x); }
Tensor abs(const Tensor& x) { return piecewise_linear("abs", Unary::abs, 0, x); }
Tensor relu6(const Tensor& x) { return piecewise_linear("relu6", Unary::relu6, 0, x); }

Tensor prelu(const Tensor& x, const Tensor& slope) {
  const OpScope scope("prelu");
  Tensor y;
  {
    const OpTrace::Composed one;
    const Tensor positive = relu(x);
    y = positive + slope * (x - positive);
  }
  OpTrace::add("prelu", y, {x, slope});
  return y;
}

// d tanh(x) = (1 - tanh(x)^2) dx. From x, not from the result: in bf16 1 - y^2 would be mostly y's rounding.
Tensor tanh(const Tensor& x) {
  const OpScope scope("tanh");
  return record("tanh", apply_unary(Unary::tanh, 0, x), {x},
                [x](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
                  if (!recording()) return {apply_backward(Unary::tanh, 0, x, dy)};
                  return {dy * (-square(tanh(x)) + 1.0f)};
                });
}

// d sigmoid(x) = s (1 - s) dx
Tensor sigmoid(const Tensor& x) {
  const OpScope scope("sigmoid");
  return record("sigmoid", apply_unary(Unary::sigmoid, 0, x), {x},
                [x](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
                  if (!recording()) return {apply_backward(Unary::sigmoid, 0, x, dy)};
                  const Tensor s = sigmoid(x);
                  return {dy * (s - square(s))};
                });
}

// d gelu(x) = (P(x) + x p(x)) dx, P the normal distribution function and p its density
Tensor gelu(const Tensor& x) {
  const OpScope scope("gelu");
  return record(
      "gelu", apply_unary(Unary::gelu, 0, x), {x},
      [x = x.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
        return {apply_backward(Unary::gelu, 0, x, dy)};
      },
      Differentiable::once);
}

}  // namespace gf
