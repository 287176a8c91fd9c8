// The use that second derivatives are there for: the gradient penalty of WGAN-GP. A critic's input gradient enters a
// loss that is differentiated once more with respect to the critic's weights.
#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/convolution.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"
#include "tests/harness/gradient_check.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

const ConvolutionShape kDown{.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1};
constexpr float kSlope = 0.2f;

// score = a number per image: conv stride 2, leaky relu, softmax attention between pixels (matmul), conv, mean.
Tensor critic(const Tensor& x, const Tensor& w1, const Tensor& b1, const Tensor& w2) {
  const Tensor h = leaky_relu(convolution(x, w1, b1, kDown), kSlope);
  const Shape& s = h.shape();
  const Tensor flat = reshape(h, {s.n, 1, s.h * s.w, s.c});
  const Tensor mixed = matmul(softmax(matmul(flat, flat, false, true)), flat);
  const Tensor z = convolution(reshape(mixed, s), w2, {}, {});
  return sum_to(tanh(z), {s.n, 1, 1, 1});
}

Array critic_reference(const Array& x, const Array& w1, const Array& b1, const Array& w2) {
  const Array h =
      reference::unary(Unary::leaky_relu, static_cast<double>(kSlope), reference::convolution(x, w1, &b1, kDown));
  const Shape& s = h.shape;
  const Array flat = reference::reshape(h, {s.n, 1, s.h * s.w, s.c});
  const Array mixed =
      reference::matmul(reference::softmax(reference::matmul(flat, flat, false, true)), flat, false, false);
  const Array z = reference::convolution(reference::reshape(mixed, s), w2, nullptr, {});
  return reference::sum_to(reference::unary(Unary::tanh, 0, z), {s.n, 1, 1, 1});
}

// mean over images of (|d score / d x| - 1)^2
Tensor penalty(const Tensor& x, const Tensor& w1, const Tensor& b1, const Tensor& w2) {
  const Tensor g = gradients(critic(x, w1, b1, w2), {x}, {}, true)[0];
  const Tensor norm = sqrt(sum_to(square(g), {x.shape().n, 1, 1, 1}));
  return mean(square(norm - 1.0f));
}

// The input gradient by fourth-order central differences, one element at a time.
double penalty_reference(const Arrays& a) {
  const double h = 1e-3;
  std::vector<double> square_norm(static_cast<std::size_t>(a[0].shape.n));
  Array x = a[0];
  for_each_element(x.shape, [&](auto n, auto i, auto j, auto c) {
    const auto score = [&](double step) {
      x.at(n, i, j, c) = a[0].at(n, i, j, c) + step;
      const double total = reference::sum_to(critic_reference(x, a[1], a[2], a[3]), {}).v[0];
      x.at(n, i, j, c) = a[0].at(n, i, j, c);
      return total;
    };
    const double g = (8 * (score(h) - score(-h)) - (score(2 * h) - score(-2 * h))) / (12 * h);
    square_norm[static_cast<std::size_t>(n)] += g * g;
  });
  double sum = 0;
  for (const double s : square_norm) sum += (std::sqrt(s) - 1) * (std::sqrt(s) - 1) / static_cast<double>(a[0].shape.n);
  return sum;
}

// Inputs whose first layer keeps away from the kink of leaky_relu.
Arrays make_penalty_inputs() {
  const OpCase c{.op = "gradient penalty",
                 .variant = "critic",
                 .inputs = {in({2, 5, 4, 2}), in({3, 3, 3, 2}, normal(0.4)), in({1, 1, 1, 3}), in({2, 1, 1, 3})},
                 .run = nullptr,
                 .reference = [](const Arrays& a) { return critic_reference(a[0], a[1], a[2], a[3]); }};
  return make_inputs(c);
}

}  // namespace

TEST_CASE("gradient penalty: value and derivatives with respect to weights, bias and input") {
  const auto run = [](const Tensors& t) { return penalty(t[0], t[1], t[2], t[3]); };
  CHECK(check_scalar_gradient(run, penalty_reference, make_penalty_inputs(), 5e-5) == "");
}

TEST_CASE("gradient penalty: a whole critic step through backward()") {
  const Arrays a = make_penalty_inputs();
  Tensors t;
  for (const Array& x : a) t.push_back(to_tensor(x, Layout::dense));
  for (int i = 1; i < 4; ++i) t[static_cast<std::size_t>(i)].require_grad();
  // The interpolated image is a constant of the step; only inside the penalty does it want a gradient.
  const Tensor image = t[0].detach().require_grad();
  backward(mean(critic(t[0], t[1], t[2], t[3])) + 10.0f * penalty(image, t[1], t[2], t[3]));
  const auto g =
      gradients(mean(critic(t[0], t[1], t[2], t[3])) + 10.0f * penalty(image, t[1], t[2], t[3]), {t[1], t[2], t[3]});
  for (std::size_t i = 0; i < 3; ++i) CHECK(t[i + 1].grad().to_vector() == g[i].to_vector());
}

}  // namespace gf::test
