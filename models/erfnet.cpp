#include "models/erfnet.h"

#include <algorithm>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/dropout.h"
#include "engine/ops/pooling.h"
#include "engine/ops/shape.h"

namespace gf {
namespace erfnet {
namespace {

constexpr auto kRelu = NormActivation::relu;
constexpr float kEps = 1e-3f;

}  // namespace

Down::Down(const Owner& owner, std::int64_t in, std::int64_t out)
    : Module(owner), conv({this, "conv"}, in, out - in, 3, {.stride = 2}), bn({this, "bn"}, out, kRelu, kEps) {}

Tensor Down::operator()(const Tensor& x) const { return bn(concat_channels({conv(x), max_pool(x)})); }

Block::Block(const Owner& owner, std::int64_t c, float rate, int dilation)
    : Module(owner),
      column1({this, "column1"}, c, c, {3, 1}, {}),
      row1({this, "row1"}, c, c, {1, 3}, {}),
      bn1({this, "bn1"}, c, kRelu, kEps),
      column2({this, "column2"}, c, c, {3, 1}, {.dilation = dilation}),
      row2({this, "row2"}, c, c, {1, 3}, {.dilation = dilation}),
      bn2({this, "bn2"}, c, rate > 0 ? NormActivation::none : kRelu, kEps),
      dropout(rate) {}

// Without dropout the sum and the ReLU are the last batch norm's.
Tensor Block::operator()(const Tensor& x, Random& random) const {
  const Tensor y = relu(column2(conv_norm(row1, bn1, relu(column1(x)))));
  if (dropout == 0) return conv_norm(row2, bn2, y, x);
  const Tensor z = conv_norm(row2, bn2, y);
  return relu(x + (training() ? dropout2d(z, dropout, random) : z));
}

Stage::Stage(const Owner& owner, std::int64_t c, float rate, const std::vector<int>& dilations) : Module(owner) {
  for (const int dilation : dilations)
    blocks.push_back(
        std::make_unique<Block>(Owner{this, "block" + std::to_string(blocks.size() + 1)}, c, rate, dilation));
}

Tensor Stage::operator()(const Tensor& x, Random& random) const {
  Tensor y = x;
  for (const auto& block : blocks) y = (*block)(y, random);
  return y;
}

Up::Up(const Owner& owner, std::int64_t in, std::int64_t out)
    : Module(owner),
      conv({this, "conv"}, in, out, 3, {.stride = 2, .pad = 1, .output_pad = 1}),
      bn({this, "bn"}, out, kRelu, kEps) {}

}  // namespace erfnet

ERFNet::ERFNet(const NetworkOptions& o)
    : classes_(o.classes),
      c0_(std::max(scaled_channels(16, o.width), o.in_channels + 1)),
      c1_(std::max(scaled_channels(64, o.width), c0_ + 1)),
      c2_(std::max(scaled_channels(128, o.width), c1_ + 1)),
      down1_({this, "down1"}, o.in_channels, c0_),
      down2_({this, "down2"}, c0_, c1_),
      encoder2_({this, "encoder2"}, c1_, dropout_rate(o, 0.1f), std::vector<int>(5, 1)),
      down3_({this, "down3"}, c1_, c2_),
      encoder3_({this, "encoder3"}, c2_, dropout_rate(o, 0.1f), {2, 4, 8, 16, 2, 4, 8, 16}),
      up4_({this, "up4"}, c2_, c1_),
      decoder4_({this, "decoder4"}, c1_, 0, {1, 1}),
      up5_({this, "up5"}, c1_, c0_),
      decoder5_({this, "decoder5"}, c0_, 0, {1, 1}),
      head_({this, "head"}, c0_, o.classes, 2, {.stride = 2}) {}

NetworkOutput ERFNet::forward(const Tensor& x, Random& random) const {
  const Tensor down1 = down1_(x);
  const Tensor down2 = down2_(down1);
  const Tensor encoder2 = encoder2_(down2, random);
  const Tensor down3 = down3_(encoder2);
  const Tensor encoder3 = encoder3_(down3, random);
  const Tensor decoder4 = decoder4_(up4_(encoder3), random);
  const Tensor decoder5 = decoder5_(up5_(decoder4), random);
  return {head_(decoder5),
          {{"down1", down1},
           {"down2", down2},
           {"down3", down3},
           {"encoder2", encoder2},
           {"encoder3", encoder3},
           {"decoder4", decoder4},
           {"decoder5", decoder5}}};
}

}  // namespace gf
