#include "engine/ops/activation.h"

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/unary.h"

namespace gf {
namespace {

// dy * f'(x) for f piecewise linear: linear in dy, and f'' = 0 almost everywhere, so its own derivative is itself.
Tensor piecewise_linear_backward(Unary op, float p, const Tensor& x, const Tensor& dy) {
  Tensor dx = Tensor::empty(x.shape(), DType::f32, x.device());
  on(x.device(), [&](const auto& d) { unary_backward(d, op, p, x.view(), dy.view(), dx.mutable_view()); });
  return record("piecewise_linear_backward", dx, {dy},
                [op, p, x](const Tensor& g, const Needs&) -> std::vector<Tensor> {
                  return {piecewise_linear_backward(op, p, x, g)};
                });
}

Tensor piecewise_linear(const char* name, Unary op, float p, const Tensor& x) {
  return record(name, apply_unary(op, p, x), {x},
                [op, p, x = x.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
                  return {piecewise_linear_backward(op, p, x, dy)};
                });
}

}  // namespace

Tensor relu(const Tensor& x) { return piecewise_linear("relu", Unary::relu, 0, x); }
Tensor leaky_relu(const Tensor& x, float slope) { return piecewise_linear("leaky_relu", Unary::leaky_relu, slope, x); }
Tensor relu6(const Tensor& x) { return piecewise_linear("relu6", Unary::relu6, 0, x); }

// d tanh(x) = (1 - tanh(x)^2) dx
Tensor tanh(const Tensor& x) {
  const Tensor y = apply_unary(Unary::tanh, 0, x);
  return record("tanh", y, {x}, [x, y = y.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    return {dy * (-square(recording() ? tanh(x) : y) + 1.0f)};
  });
}

// d sigmoid(x) = s (1 - s) dx
Tensor sigmoid(const Tensor& x) {
  const Tensor y = apply_unary(Unary::sigmoid, 0, x);
  return record("sigmoid", y, {x}, [x, y = y.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    const Tensor s = recording() ? sigmoid(x) : y;
    return {dy * (s - square(s))};
  });
}

}  // namespace gf
