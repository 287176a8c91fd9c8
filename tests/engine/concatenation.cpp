// A concatenation whose parts are written into its buffer: the same values and gradients, without a copy.
#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/convolution.h"
#include "engine/ops/shape.h"
#include "engine/step_graph.h"
#include "tests/engine/error_text.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

Tensor random_tensor(const Shape& s, unsigned seed, const Device& device) {
  Generator g(seed);
  Array a(s);
  normal()(a, g);
  return to_tensor(a, Layout::dense).to(device);
}

// A skip from a batch norm and an enlarged map from a transposed convolution, as in a U-Net's level.
struct Level {
  Tensor map, deep, w, gamma, beta, mean, variance;

  explicit Level(const Device& d)
      : map(random_tensor({2, 6, 4, 8}, 1, d)),
        deep(random_tensor({2, 3, 2, 5}, 2, d)),
        w(random_tensor({5, 2, 2, 8}, 3, d)),
        gamma(random_tensor({1, 1, 1, 8}, 4, d)),
        beta(random_tensor({1, 1, 1, 8}, 5, d)),
        mean(Tensor::zeros({1, 1, 1, 8}, d)),
        variance(Tensor::full({1, 1, 1, 8}, 1.0f, d)) {
    for (Tensor* t : {&map, &deep, &w, &gamma, &beta}) t->require_grad();
  }
  Tensor run(bool in_place) const {
    const Tensor joined = in_place ? Tensor::empty({2, 6, 4, 16}, DType::f32, map.device()) : Tensor();
    const auto half = [&](std::int64_t begin) { return in_place ? joined.view_channels(begin, 8) : Tensor(); };
    const Tensor skip =
        batch_norm(map, gamma, beta, mean, variance, {.act = NormActivation::relu}, true, {}, {}, half(0));
    const Tensor up = transposed_convolution(deep, w, {}, {.stride_h = 2, .stride_w = 2}, 0, half(8));
    return concat_channels({skip, up}, joined);
  }
  std::vector<Tensor> leaves() const { return {map, deep, w, gamma, beta}; }
};

}  // namespace

TEST_CASE("parts written into a concatenation give the values and gradients of parts copied there") {
  for (const Device& device : {cpu_device(), graph_device()}) {
    const Level level(device);
    const Tensor copied = level.run(false), placed = level.run(true);
    CHECK(copied.to_vector() == placed.to_vector());
    const Tensor dy = random_tensor(copied.shape(), 6, device);
    const std::vector<Tensor> a = gradients(copied, level.leaves(), dy), b = gradients(placed, level.leaves(), dy);
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].to_vector() == b[i].to_vector());
  }
}

TEST_CASE("a part in its place is not copied") {
  const Level level(graph_device());
  const auto launches = [&](bool in_place) {
    StepGraph graph(graph_device());
    const auto step = [&] { level.run(in_place); };
    graph.warm_up(step);
    graph.capture(step);
    return graph.size();
  };
  CHECK(launches(false) == launches(true) + 2);
}

TEST_CASE("parts elsewhere are copied, and a place that does not fit is refused by the op's name") {
  const Device device = cpu_device();
  const Tensor a = random_tensor({1, 2, 2, 3}, 1, device), b = random_tensor({1, 2, 2, 2}, 2, device);
  const Tensor joined = Tensor::zeros({1, 2, 2, 5}, device);
  CHECK(concat_channels({a, b}, joined).to_vector() == concat_channels({a, b}).to_vector());
  CHECK(error_text([&] { concat_channels({a, b}, a); }).find("concat_channels: the place") != std::string::npos);
  const Tensor w = random_tensor({3, 2, 2, 4}, 3, device);
  CHECK(error_text([&] { transposed_convolution(a, w, {}, {}, 0, joined); }).find("[1,3,3,4]") != std::string::npos);
}

}  // namespace gf::test
