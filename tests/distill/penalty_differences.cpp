// The gradient penalty's derivative with respect to every parameter of the discriminator, by central differences of the
// penalty worked out in double precision. Differences in float32 would not do: LeakyReLU makes the input's gradient
// jump, and only steps too small for float32 cross no jump.
#include <doctest/doctest.h>

#include <map>

#include "distill/adversarial.h"
#include "engine/autograd.h"
#include "tests/distill/golden_discriminator.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

constexpr double kSlope = static_cast<double>(0.1f);
constexpr ConvolutionShape kHalve{.stride_h = 2, .stride_w = 2, .pad_h = 1, .pad_w = 1};

using Parameters = std::map<std::string, Array>;

Array plus(const Array& a, const Array& b) { return reference::binary(Binary::add, a, b); }
Array times(const Array& a, const Array& b) { return reference::binary(Binary::mul, a, b); }
Array minus(const Array& a, const Array& b) { return reference::binary(Binary::sub, a, b); }
Array product(const Array& a, const Array& b, bool ta = false, bool tb = false) {
  return reference::matmul(a, b, ta, tb);
}
Array rows(const Array& x) { return reference::reshape(x, {x.shape.n, 1, x.shape.h * x.shape.w, x.shape.c}); }

class PenaltyReference {
 public:
  // u, v: constants of the derivative, so they are those of the unchanged weights.
  PenaltyReference(const Parameters& unchanged, const Parameters& u) {
    for (const auto& [name, state] : u) {
      const std::string layer = name.substr(0, name.find('.'));
      const Array w = matrix(unchanged.at(layer + ".weight"));
      right_[layer] = normalised(product(state, w));
      left_[layer] = normalised(product(right_[layer], w, false, true));
    }
  }

  // mean_b (|d sum D(x) / d x| - 1)^2, the gradient by the chain rule, layer by layer.
  double value(const Parameters& p, const Array& x) const {
    std::vector<Array> before, weights;  // of the LeakyReLUs
    Array at = reference::unary(Unary::tanh, 0, x);
    const Array squashed = at;
    std::map<int, Array> attended;  // input of the attention behind layer 3 and 4
    for (int layer = 1; layer <= 4; ++layer) {
      const std::string name = "layer" + std::to_string(layer);
      weights.push_back(spectral(p, name));
      before.push_back(reference::convolution(at, weights.back(), &p.at(name + ".bias"), kHalve));
      at = reference::unary(Unary::leaky_relu, kSlope, before.back());
      if (layer < 3) continue;
      attended[layer] = at;
      at = attention(p, layer, at, nullptr);
    }
    const Shape scores{at.shape.n, at.shape.h - 3, at.shape.w - 3, 1};
    Array g = reference::convolution_input_grad(Array(scores, 1), p.at("last.weight"), at.shape, {});
    for (int layer = 4; layer >= 1; --layer) {
      if (layer >= 3) g = attention(p, layer, attended[layer], &g);
      const Array& z = before[static_cast<std::size_t>(layer - 1)];
      g = times(g, reference::unary_slope(Unary::leaky_relu, kSlope, z));
      const Shape to = layer == 1 ? x.shape : before[static_cast<std::size_t>(layer - 2)].shape;
      g = reference::convolution_input_grad(g, weights[static_cast<std::size_t>(layer - 1)], to, kHalve);
    }
    g = minus(g, times(g, times(squashed, squashed)));
    const Array squares = reference::sum_to(times(g, g), {x.shape.n, 1, 1, 1});
    double sum = 0;
    for (const double s : squares.v) sum += (std::sqrt(s) - 1) * (std::sqrt(s) - 1);
    return sum / static_cast<double>(x.shape.n);
  }

 private:
  static Array matrix(const Array& w) {
    return reference::reshape(w, {1, 1, w.shape.n, w.shape.h * w.shape.w * w.shape.c});
  }
  static Array normalised(const Array& a) { return reference::scaled(1 / (std::sqrt(dot(a.v, a.v)) + 1e-12), a); }

  Array spectral(const Parameters& p, const std::string& layer) const {
    const Array& w = p.at(layer + ".weight");
    const Array stretched = product(right_.at(layer), matrix(w), false, true);
    return reference::scaled(1 / dot(left_.at(layer).v, stretched.v), w);
  }

  // The layer's output, or with dy the gradient of its input.
  static Array attention(const Parameters& p, int layer, const Array& x, const Array* dy) {
    const std::string name = "attention" + std::to_string(layer - 2) + ".";
    const auto project = [&](const char* which) {
      return rows(reference::convolution(x, p.at(name + which + ".weight"), &p.at(name + which + ".bias"), {}));
    };
    const Array q = project("query"), k = project("key"), v = project("value");
    const Array a = reference::softmax(product(q, k, false, true));
    const double gamma = p.at(name + "gamma").v[0];
    if (!dy) return plus(reference::scaled(gamma, reference::reshape(product(a, v), x.shape)), x);
    const Array d = reference::scaled(gamma, rows(*dy));
    const Array da = product(d, v, false, true);
    const Array ds = times(a, minus(da, reference::sum_to(times(da, a), {a.shape.n, 1, a.shape.w, 1})));
    const auto back = [&](const char* which, const Array& g) {
      const Array& w = p.at(name + which + ".weight");
      return reference::convolution_input_grad(reference::reshape(g, {x.shape.n, x.shape.h, x.shape.w, g.shape.c}), w,
                                               x.shape, {});
    };
    return plus(*dy, plus(back("query", product(ds, k)),
                          plus(back("key", product(ds, q, true)), back("value", product(a, d, true)))));
  }

  Parameters left_, right_;
};

}  // namespace

TEST_CASE("adversarial: the penalty's gradient by central differences, every parameter") {
  const GoldenDiscriminator g(cpu_device());
  Parameters parameters, u;
  for (const NamedTensor& p : g.net->parameters()) parameters[p.name] = to_array(p.tensor);
  for (const NamedTensor& b : g.net->buffers()) u[b.name] = to_array(b.tensor);
  const PenaltyReference penalty(parameters, u);
  const Array alpha = to_array(g.alpha);
  const Array x = plus(times(alpha, to_array(g.teacher)), times(minus(Array({}, 1), alpha), to_array(g.student)));

  const Tensor value = gradient_penalty(*g.net, g.teacher, g.student, g.alpha);
  CHECK(static_cast<double>(value.item()) == doctest::Approx(penalty.value(parameters, x)).epsilon(1e-5));
  backward(value);
  double longest = 0;
  for (const NamedTensor& p : g.net->parameters())
    if (const Tensor t = p.tensor.grad()) {
      const Array a = to_array(t);
      longest = std::max(longest, std::sqrt(dot(a.v, a.v)));
    }
  Generator random(7);
  for (const NamedTensor& p : g.net->parameters()) {
    INFO(p.name);
    const Tensor gradient = p.tensor.grad();
    const Array slope = gradient ? to_array(gradient) : Array(p.tensor.shape());
    const double length = std::sqrt(dot(slope.v, slope.v));
    for (int direction = 0; direction < 3; ++direction) {
      // Along the gradient, where nothing cancels, then along random ones.
      Array d = slope;
      if (direction > 0 || length == 0) normal()(d, random);
      const double norm = std::sqrt(dot(d.v, d.v));
      const double h = 1e-7;
      double side[2];
      for (int i : {0, 1}) {
        Parameters moved = parameters;
        moved[p.name] = plus(moved[p.name], reference::scaled((i == 0 ? h : -h) / norm, d));
        side[i] = penalty.value(moved, x);
      }
      const double quotient = (side[0] - side[1]) / (2 * h), found = dot(slope.v, d.v) / norm;
      CHECK(std::abs(found - quotient) <= 1e-4 * length + 2e-7 * longest);
    }
  }
}

}  // namespace gf::test
