// Named modules and the way their parameters are drawn.
#include "engine/nn/module.h"

#include <doctest/doctest.h>

#include <cmath>

#include "engine/nn/conv_norm.h"
#include "engine/nn/init.h"
#include "engine/ops/arithmetic.h"

namespace gf::test {
namespace {

struct Block : Module {
  ConvNorm first;
  Conv2d second;
  Block(const Owner& o, std::int64_t c)
      : Module(o),
        first({this, "first"}, c, 2 * c, 3, {.act = NormActivation::relu}),
        second({this, "second"}, 2 * c, c, 1, {}) {}
  Tensor operator()(const Tensor& x) const { return second(first(x)); }
};

struct Net : Module {
  Block encoder;
  ConvTranspose2d up;
  Net() : encoder({this, "encoder"}, 4), up({this, "up"}, 4, 2, 2, {.stride = 2}) {}
};

std::vector<std::string> names(const std::vector<NamedTensor>& list) {
  std::vector<std::string> n;
  for (const NamedTensor& t : list) n.push_back(t.name);
  return n;
}

using Names = std::vector<std::string>;

struct Moments {
  double mean = 0, variance = 0, low = 1e30, high = -1e30;
};

Moments moments(const Tensor& t) {
  Moments m;
  const std::vector<float> v = t.to_vector();
  const double n = static_cast<double>(v.size());
  for (const float x : v) {
    m.mean += static_cast<double>(x) / n;
    m.low = std::min(m.low, static_cast<double>(x));
    m.high = std::max(m.high, static_cast<double>(x));
  }
  for (const float x : v) m.variance += std::pow(static_cast<double>(x) - m.mean, 2) / n;
  return m;
}

// A uniform sample of some thousand values fills its range and has its variance.
void check_uniform(const Tensor& t, double bound) {
  const Moments m = moments(t);
  CHECK(m.low >= -bound);
  CHECK(m.high <= bound);
  CHECK(m.high - m.low > 1.95 * bound);
  CHECK(std::abs(m.mean) < 0.05 * bound);
  CHECK(m.variance == doctest::Approx(bound * bound / 3).epsilon(0.08));
}

void check_normal(const Tensor& t, double stddev) {
  const Moments m = moments(t);
  CHECK(std::abs(m.mean) < 0.08 * stddev);
  CHECK(m.variance == doctest::Approx(stddev * stddev).epsilon(0.1));
  CHECK(m.high > 2.5 * stddev);
}

Tensor parameter(const Module& m, const std::string& name) {
  for (const NamedTensor& p : m.parameters())
    if (p.name == name) return p.tensor;
  return {};
}

}  // namespace

TEST_CASE("a parameter's name is the path to it, in order of construction") {
  const Net net;
  CHECK(names(net.parameters()) == Names{"encoder.first.conv.weight", "encoder.first.bn.weight",
                                         "encoder.first.bn.bias", "encoder.second.weight", "encoder.second.bias",
                                         "up.weight", "up.bias"});
  CHECK(names(net.buffers()) == Names{"encoder.first.bn.running_mean", "encoder.first.bn.running_var"});
  CHECK(net.parameter_count() == 8 * 3 * 3 * 4 + 8 + 8 + 4 * 8 + 4 + 4 * 2 * 2 * 2 + 2);
  CHECK(net.parameters()[0].tensor.shape() == Shape{8, 3, 3, 4});
  CHECK(net.parameters()[0].layout == FileLayout::convolution);
  CHECK(net.parameters()[5].layout == FileLayout::transposed);
  CHECK(net.parameters()[6].layout == FileLayout::vector);
}

TEST_CASE("train, eval and freeze reach every module below") {
  Net net;
  CHECK(net.encoder.first.bn.training());
  net.eval();
  CHECK(!net.encoder.first.bn.training());
  net.train();
  CHECK(net.encoder.first.bn.training());
  CHECK(net.encoder(Tensor::zeros({1, 4, 4, 4})).requires_grad());
  net.freeze();
  CHECK(!net.encoder(Tensor::zeros({1, 4, 4, 4})).requires_grad());
}

TEST_CASE("layers compute shapes: same padding, stride, dilation, groups, transposed") {
  const Tensor x = Tensor::zeros({1, 9, 8, 4});
  CHECK(Conv2d({}, 4, 6, 3, {})(x).shape() == Shape{1, 9, 8, 6});
  CHECK(Conv2d({}, 4, 6, 5, {.stride = 2})(x).shape() == Shape{1, 5, 4, 6});
  CHECK(Conv2d({}, 4, 6, 3, {.dilation = 4})(x).shape() == Shape{1, 9, 8, 6});
  CHECK(Conv2d({}, 4, 6, {1, 3}, {})(x).shape() == Shape{1, 9, 8, 6});
  CHECK(Conv2d({}, 4, 4, 3, {.groups = 4, .bias = false})(x).shape() == Shape{1, 9, 8, 4});
  CHECK(ConvTranspose2d({}, 4, 3, 2, {.stride = 2})(x).shape() == Shape{1, 18, 16, 3});
  CHECK(ConvTranspose2d({}, 4, 3, 4, {.stride = 2, .pad = 1})(x).shape() == Shape{1, 18, 16, 3});
}

TEST_CASE("convolutions start as PyTorch's: uniform up to 1/sqrt(fan in), bias too") {
  Conv2d conv({}, 64, 48, 3, {});
  conv.initialise(1);
  check_uniform(conv.weight, 1 / std::sqrt(64.0 * 9));
  const Moments bias = moments(conv.bias);
  CHECK(std::max(-bias.low, bias.high) <= 1 / std::sqrt(64.0 * 9));
  CHECK(bias.variance > 0);
  SUBCASE("depthwise: the fan is one channel's window") {
    Conv2d depthwise({}, 512, 512, 3, {.groups = 512});
    depthwise.initialise(1);
    check_uniform(depthwise.weight, 1.0 / 3);
  }
  SUBCASE("transposed: the fan is taken over the output's channels") {
    ConvTranspose2d up({}, 96, 24, 4, {.stride = 2, .pad = 1});
    up.initialise(1);
    check_uniform(up.weight, 1 / std::sqrt(24.0 * 16));
  }
}

TEST_CASE("xavier uniform and normal by fan out") {
  Conv2d xavier({}, 64, 32, 3, {.init = WeightInit::xavier_uniform});
  xavier.initialise(2);
  check_uniform(xavier.weight, std::sqrt(6.0 / (9 * (64 + 32))));
  Conv2d normal({}, 64, 32, 3, {.init = WeightInit::normal_fan_out});
  normal.initialise(2);
  check_normal(normal.weight, std::sqrt(2.0 / (9 * 32)));
  CHECK(normal.bias.to_vector() == std::vector<float>(32, 0.0f));
}

TEST_CASE("batch norm starts as the identity, and starting again forgets its statistics") {
  BatchNorm2d bn({}, 3);
  bn.initialise(1);
  bn(Tensor::full({2, 2, 2, 3}, 5.0f));
  CHECK(bn.running_mean.to_vector()[0] == doctest::Approx(0.5));
  CHECK(bn.running_var.to_vector()[0] == doctest::Approx(0.9));
  bn.initialise(1);
  CHECK(bn.weight.to_vector() == std::vector<float>(3, 1.0f));
  CHECK(bn.bias.to_vector() == std::vector<float>(3, 0.0f));
  CHECK(bn.running_mean.to_vector() == std::vector<float>(3, 0.0f));
  CHECK(bn.running_var.to_vector() == std::vector<float>(3, 1.0f));
}

TEST_CASE("running statistics: exponential average, unbiased variance, evaluation leaves them alone") {
  BatchNorm2d bn({}, 1);
  bn.initialise(1);
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3, 6}, {2, 1, 2, 1});  // mean 3, variance 14/4, unbiased 14/3
  const std::vector<float> y = bn(x).to_vector();
  CHECK(y[3] == doctest::Approx(3 / std::sqrt(3.5 + 1e-5)));
  CHECK(bn.running_mean.item() == doctest::Approx(0.3));
  CHECK(bn.running_var.item() == doctest::Approx(0.9 + 0.1 * 14 / 3));
  bn(x);
  CHECK(bn.running_mean.item() == doctest::Approx(0.3 * 0.9 + 0.3));
  bn.eval();
  const float mean = bn.running_mean.item(), variance = bn.running_var.item();
  CHECK(bn(x).to_vector()[3] == doctest::Approx((6 - mean) / std::sqrt(variance + 1e-5f)));
  CHECK(bn.running_mean.item() == mean);
}

TEST_CASE("a parameter's first value depends on the seed and its own name only") {
  Net a, b, c;
  a.initialise(7);
  b.initialise(7);
  c.initialise(8);
  const std::string weight = "encoder.second.weight";
  CHECK(parameter(a, weight).to_vector() == parameter(b, weight).to_vector());
  CHECK(parameter(a, weight).to_vector() != parameter(c, weight).to_vector());
  SUBCASE("whatever else the network holds, in whatever order") {
    struct Other : Module {
      Conv2d before;
      Block encoder;
      Other() : before({this, "before"}, 5, 5, 3, {}), encoder({this, "encoder"}, 4) {}
    } other;
    other.initialise(7);
    CHECK(parameter(a, weight).to_vector() == parameter(other, weight).to_vector());
  }
  SUBCASE("two layers of one shape get different values") {
    struct Twins : Module {
      Conv2d left, right;
      Twins() : left({this, "left"}, 4, 4, 3, {}), right({this, "right"}, 4, 4, 3, {}) {}
    } twins;
    twins.initialise(7);
    CHECK(twins.left.weight.to_vector() != twins.right.weight.to_vector());
    CHECK(twins.left.bias.to_vector() != twins.right.bias.to_vector());
  }
}

}  // namespace gf::test
