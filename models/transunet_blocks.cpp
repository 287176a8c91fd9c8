#include "models/transunet_blocks.h"

#include <algorithm>
#include <numeric>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/dropout.h"
#include "engine/ops/resize.h"
#include "engine/ops/shape.h"

namespace gf::transunet {
namespace {

constexpr float kGroupNormEps = 1e-6f, kShortcutEps = 1e-5f;

Conv2d::Options plain(int stride = 1) { return {.stride = stride, .bias = false}; }
GroupNormShape groups(std::int64_t channels, bool relu) { return {group_count(channels), kGroupNormEps, relu}; }
std::int64_t quarter(std::int64_t channels) { return std::max<std::int64_t>(1, channels / 4); }

constexpr Conv2d::Options kMlp{.init = WeightInit::transformer, .layout = FileLayout::linear};

}  // namespace

std::int64_t group_count(std::int64_t channels) { return std::gcd<std::int64_t>(32, channels); }

Bottleneck::Bottleneck(const Owner& owner, std::int64_t in, std::int64_t out, int stride)
    : Module(owner),
      conv1({this, "conv1"}, in, quarter(out), 1, plain()),
      gn1({this, "gn1"}, quarter(out), groups(quarter(out), true)),
      conv2({this, "conv2"}, quarter(out), quarter(out), 3, plain(stride)),
      gn2({this, "gn2"}, quarter(out), groups(quarter(out), true)),
      conv3({this, "conv3"}, quarter(out), out, 1, plain()),
      gn3({this, "gn3"}, out, groups(out, true)) {
  if (stride == 1 && in == out) return;
  shortcut = std::make_unique<StandardisedConv2d>(Owner{this, "shortcut"}, in, out, 1, plain(stride));
  gn_shortcut = std::make_unique<GroupNorm>(Owner{this, "gn_shortcut"}, out, GroupNormShape{out, kShortcutEps, false});
}

Tensor Bottleneck::operator()(const Tensor& x) const {
  const Tensor y = gn2(conv2(gn1(conv1(x))));
  return gn3(conv3(y), shortcut ? (*gn_shortcut)((*shortcut)(x)) : x);  // then ReLU
}

ResidualStage::ResidualStage(const Owner& owner, std::int64_t in, std::int64_t out, int count, int stride)
    : Module(owner) {
  for (int i = 1; i <= count; ++i)
    units.push_back(std::make_unique<Bottleneck>(Owner{this, "unit" + std::to_string(i)}, i == 1 ? in : out, out,
                                                 i == 1 ? stride : 1));
}

Tensor ResidualStage::operator()(const Tensor& x) const {
  Tensor y = x;
  for (const auto& unit : units) y = (*unit)(y);
  return y;
}

TransformerBlock::TransformerBlock(const Owner& owner, std::int64_t c, std::int64_t heads, float rate)
    : Module(owner),
      attention_norm({this, "attention_norm"}, c, kLayerNormEps),
      attention({this, "attention"}, c, heads),
      mlp_norm({this, "mlp_norm"}, c, kLayerNormEps),
      mlp1({this, "mlp1"}, c, 4 * c, 1, kMlp),
      mlp2({this, "mlp2"}, 4 * c, c, 1, kMlp),
      dropout_rate(rate) {}

Tensor TransformerBlock::operator()(const Tensor& x, Random& random) const {
  const auto dropped = [&](const Tensor& t) { return training() ? dropout(t, dropout_rate, random) : t; };
  const Tensor y = x + attention(attention_norm(x));
  return y + dropped(mlp2(dropped(gelu(mlp1(mlp_norm(y))))));
}

Up::Up(const Owner& owner, std::int64_t in, std::int64_t skip, std::int64_t out)
    : Module(owner),
      first({this, "first"}, in + skip, out, 3, {.act = NormActivation::relu}),
      second({this, "second"}, out, out, 3, {.act = NormActivation::relu}) {}

Tensor Up::operator()(const Tensor& x, const Tensor& skip) const {
  const Tensor large = resize(x, 2 * x.shape().h, 2 * x.shape().w, ResizeMode::bilinear_corners);
  return second(first(skip ? concat_channels({large, skip}) : large));
}

}  // namespace gf::transunet
