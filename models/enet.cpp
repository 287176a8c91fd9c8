#include "models/enet.h"

#include <algorithm>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/dropout.h"
#include "engine/ops/shape.h"

namespace gf {
namespace {

constexpr auto kPrelu = NormActivation::prelu;
constexpr auto kRelu = NormActivation::relu;

}  // namespace

namespace enet {
namespace {

std::int64_t quarter(std::int64_t channels) { return std::max<std::int64_t>(1, channels / 4); }

Tensor dropped(const Module& block, const Tensor& x, float rate, Random& random) {
  return block.training() ? dropout2d(x, rate, random) : x;
}

}  // namespace

Activation::Activation(const Owner& owner, NormActivation act) : Module(owner) {
  if (act == kPrelu) prelu = std::make_unique<Prelu>(Owner{this, "prelu"});
}

Tensor Activation::operator()(const Tensor& x) const { return prelu ? (*prelu)(x) : relu(x); }

Regular::Regular(const Owner& owner, std::int64_t c, NormActivation act, float rate, const Middle& kind)
    : Module(owner),
      reduce({this, "reduce"}, c, quarter(c), 1, {.act = act}),
      column(kind.asymmetric ? std::make_unique<ConvNorm>(Owner{this, "column"}, quarter(c), quarter(c), Kernel{5, 1},
                                                          ConvNorm::Options{.act = act})
                             : nullptr),
      middle({this, "middle"}, quarter(c), quarter(c), kind.asymmetric ? Kernel{1, 5} : Kernel{3},
             {.dilation = kind.dilation, .act = act}),
      expand({this, "expand"}, quarter(c), c, 1, {.act = act}),
      out({this, "out"}, act),
      dropout(rate) {}

Tensor Regular::operator()(const Tensor& x, Random& random) const {
  Tensor y = reduce(x);
  if (column) y = (*column)(y);
  return out(x + dropped(*this, expand(middle(y)), dropout, random));
}

Stage::Stage(const Owner& owner, std::int64_t c, NormActivation act, float rate, const std::vector<Middle>& kinds)
    : Module(owner) {
  for (const Middle& kind : kinds)
    blocks.push_back(
        std::make_unique<Regular>(Owner{this, "block" + std::to_string(blocks.size() + 1)}, c, act, rate, kind));
}

Tensor Stage::operator()(const Tensor& x, Random& random) const {
  Tensor y = x;
  for (const auto& block : blocks) y = (*block)(y, random);
  return y;
}

Down::Down(const Owner& owner, std::int64_t c_in, std::int64_t c_out, float rate)
    : Module(owner),
      reduce({this, "reduce"}, c_in, quarter(c_in), 2, {.stride = 2, .act = kPrelu}),
      middle({this, "middle"}, quarter(c_in), quarter(c_in), 3, {.act = kPrelu}),
      expand({this, "expand"}, quarter(c_in), c_out, 1, {.act = kPrelu}),
      out({this, "out"}, kPrelu),
      dropout(rate) {}

Down::Result Down::operator()(const Tensor& x, Random& random) const {
  const MaxPooled pooled = max_pool_with_index(x);
  const Tensor y = dropped(*this, expand(middle(reduce(x))), dropout, random);
  const Shape& s = y.shape();
  const std::int64_t missing = s.c - x.shape().c;
  const Tensor main =
      missing == 0 ? pooled.values
                   : concat_channels({pooled.values, Tensor::zeros({s.n, s.h, s.w, missing}, x.device(), x.dtype())});
  return {out(main + y), pooled.index, x.shape()};
}

Up::Up(const Owner& owner, std::int64_t in, std::int64_t out, float rate)
    : Module(owner),
      main({this, "main"}, in, out, 1, {}),
      reduce({this, "reduce"}, in, quarter(in), 1, {.act = kRelu}),
      up({this, "up"}, quarter(in), quarter(in), 2, {.stride = 2, .bias = false}),
      bn_up({this, "bn_up"}, quarter(in), kRelu),
      expand({this, "expand"}, quarter(in), out, 1, {}),
      dropout(rate) {}

Tensor Up::operator()(const Tensor& x, const Down::Result& down, Random& random) const {
  const Tensor unpooled = max_unpool(main(x), down.index, {}, down.pooled);
  return relu(unpooled + dropped(*this, expand(bn_up(up(reduce(x)))), dropout, random));
}

}  // namespace enet

namespace {

const std::vector<enet::Middle> kDeep{{}, {.dilation = 2}, {.asymmetric = true}, {.dilation = 4},
                                      {}, {.dilation = 8}, {.asymmetric = true}, {.dilation = 16}};
std::vector<enet::Middle> plain(std::size_t blocks) { return std::vector<enet::Middle>(blocks); }

constexpr PoolShape kInitialPool{.kernel = 3, .stride = 2, .pad = 1};

}  // namespace

ENet::ENet(const NetworkOptions& o)
    : c0_(std::max(scaled_channels(16, o.width), o.in_channels + 1)),
      c1_(std::max(scaled_channels(64, o.width), c0_)),
      c2_(std::max(scaled_channels(128, o.width), c1_)),
      early_dropout_(dropout_rate(o, 0.01f)),
      dropout_(dropout_rate(o, 0.1f)),
      initial_({this, "initial"}, o.in_channels, c0_ - o.in_channels, 3, {.stride = 2, .bias = false}),
      bn_initial_({this, "bn_initial"}, c0_, kPrelu),
      down1_({this, "down1"}, c0_, c1_, early_dropout_),
      stage1_({this, "stage1"}, c1_, kPrelu, early_dropout_, plain(4)),
      down2_({this, "down2"}, c1_, c2_, dropout_),
      stage2_({this, "stage2"}, c2_, kPrelu, dropout_, kDeep),
      stage3_({this, "stage3"}, c2_, kPrelu, dropout_, kDeep),
      up4_({this, "up4"}, c2_, c1_, dropout_),
      stage4_({this, "stage4"}, c1_, kRelu, dropout_, plain(2)),
      up5_({this, "up5"}, c1_, c0_, dropout_),
      stage5_({this, "stage5"}, c0_, kRelu, dropout_, plain(1)),
      head_({this, "head"}, c0_, o.classes, 3, {.stride = 2, .pad = 1, .output_pad = 1, .bias = false}) {}

NetworkOutput ENet::forward(const Tensor& x, Random& random) const {
  const Tensor initial = bn_initial_(concat_channels({initial_(x), max_pool(x, kInitialPool)}));
  const enet::Down::Result down1 = down1_(initial, random);
  const Tensor stage1 = stage1_(down1.map, random);
  const enet::Down::Result down2 = down2_(stage1, random);
  const Tensor stage2 = stage2_(down2.map, random);
  const Tensor stage3 = stage3_(stage2, random);
  const Tensor stage4 = stage4_(up4_(stage3, down2, random), random);
  const Tensor stage5 = stage5_(up5_(stage4, down1, random), random);
  return {head_(stage5),
          {{"initial", initial},
           {"stage1", stage1},
           {"stage2", stage2},
           {"stage3", stage3},
           {"stage4", stage4},
           {"stage5", stage5}}};
}

}  // namespace gf
