// A batch norm folded into the convolution before it gives what the two give.
#include "engine/nn/conv_norm.h"

#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "kernels/philox.h"
#include "tests/harness/golden.h"

namespace gf::test {
namespace {

Tensor numbers(const Shape& s, std::uint64_t seed, float low = -1, float high = 1) {
  std::vector<float> v(static_cast<std::size_t>(s.count()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = low + (high - low) * uniform01(philox(seed, 0, i).v[0]);
  return Tensor::from(v, s);
}

// Statistics far from their start, as after training.
void train_statistics(const BatchNorm2d& bn) {
  const Shape s = bn.weight.shape();
  bn.weight.assign(numbers(s, 1, 0.5f, 2));
  bn.bias.assign(numbers(s, 2));
  bn.running_mean.assign(numbers(s, 3));
  bn.running_var.assign(numbers(s, 4, 0.1f, 3));
}

struct Layer : Module {
  Conv2d conv;
  BatchNorm2d bn;
  Layer(std::int64_t in, std::int64_t out, const Conv2d::Options& o, NormActivation act)
      : conv({this, "conv"}, in, out, 3, o), bn({this, "bn"}, out, act) {
    initialise(7);
    train_statistics(bn);
    eval();
  }
};

TEST_CASE("conv_norm: folded and not, every kind of convolution and activation") {
  const Tensor x = numbers({2, 9, 7, 6}, 5, -4, 4);  // far enough for a ReLU6 to cut
  for (const NormActivation act :
       {NormActivation::none, NormActivation::relu, NormActivation::relu6, NormActivation::prelu})
    for (const bool bias : {false, true})
      for (const int groups : {1, 2, 6}) {
        CAPTURE(static_cast<int>(act));
        CAPTURE(bias);
        CAPTURE(groups);
        Layer layer(6, 12, {.groups = groups, .bias = bias}, act);
        const NoGrad off;
        const Tensor residual = numbers({2, 9, 7, 12}, 6);
        const Tensor apart = conv_norm(layer.conv, layer.bn, x), with = conv_norm(layer.conv, layer.bn, x, residual);
        CHECK(!layer.conv.folded.weight);  // only frozen layers fold
        layer.freeze();
        const Tensor folded = conv_norm(layer.conv, layer.bn, x);
        const bool folds = act != NormActivation::prelu;
        CHECK(static_cast<bool>(layer.conv.folded.weight) == folds);
        CHECK(relative_error(folded, apart) < 2e-6);
        CHECK(max_difference(conv_norm(layer.conv, layer.bn, x, residual), with) == 0);  // not folded on the CPU
        const Device simt = simt_device();
        layer.to(simt);
        CHECK(relative_error(conv_norm(layer.conv, layer.bn, x.to(simt), residual.to(simt)).to(cpu_device()), with) <
              2e-6);
      }
}

TEST_CASE("conv_norm: a frozen layer in training mode, or under a tape, is not folded") {
  Layer layer(6, 4, {}, NormActivation::relu);
  Tensor x = numbers({1, 5, 5, 6}, 8);
  layer.freeze();
  layer.train();
  conv_norm(layer.conv, layer.bn, x);
  CHECK(!layer.conv.folded.weight);
  layer.eval();
  x.require_grad();
  const Tensor y = conv_norm(layer.conv, layer.bn, x);
  CHECK(!layer.conv.folded.weight);
  backward(sum(y));
  CHECK(x.grad());  // gradients still reach what is in front of a frozen layer
}

TEST_CASE("BatchNorm2d: prelu's slope is a parameter that starts at 0.25, one or one a channel") {
  for (const std::int64_t slopes : {1, 6}) {
    struct Net : Module {
      BatchNorm2d bn;
      explicit Net(std::int64_t n) : bn({this, "bn"}, 6, NormActivation::prelu, 1e-5f, n) {}
    } net(slopes);
    net.initialise(3);
    CHECK(net.parameters().size() == 3);
    CHECK(net.parameters()[2].name == "bn.slope");
    CHECK(net.bn.slope.to_vector() == std::vector<float>(static_cast<std::size_t>(slopes), 0.25f));
    backward(sum(net.bn(numbers({2, 3, 4, 6}, 9))));
    CHECK(net.bn.slope.grad().shape() == net.bn.slope.shape());
  }
}

}  // namespace
}  // namespace gf::test
