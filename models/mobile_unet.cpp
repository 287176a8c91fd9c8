#include "models/mobile_unet.h"

#include <algorithm>
#include <map>

#include "engine/ops/arithmetic.h"
#include "engine/ops/inverted_residual.h"
#include "engine/ops/resize.h"
#include "engine/ops/shape.h"

namespace gf {
namespace {

constexpr auto kRelu6 = NormActivation::relu6;
constexpr auto kInit = WeightInit::normal_fan_out;

struct Stage {
  int expansion;
  std::int64_t channels;
  int blocks, stride;
};
constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
constexpr std::size_t kSkips[] = {13, 6, 3, 1};  // the block whose output each decoder level joins
constexpr std::int64_t kUpChannels[] = {96, 32, 24, 16};

std::unique_ptr<ConvNorm> conv_norm(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k,
                                    ConvNorm::Options o) {
  o.init = kInit;
  return std::make_unique<ConvNorm>(owner, in, out, k, o);
}

}  // namespace

InvertedResidual::InvertedResidual(const Owner& owner, std::int64_t in, std::int64_t out, int stride, int expansion)
    : Module(owner), residual(stride == 1 && in == out) {
  const std::int64_t hidden = in * expansion;
  if (expansion != 1) expand = conv_norm({this, "expand"}, in, hidden, 1, {.act = kRelu6});
  depthwise = conv_norm({this, "depthwise"}, hidden, hidden, 3,
                        {.stride = stride, .groups = static_cast<int>(hidden), .act = kRelu6});
  project = conv_norm({this, "project"}, hidden, out, 1, {});
}

Tensor InvertedResidual::operator()(const Tensor& x, const Tensor& into) const {
  if (expand && bands_pay(x, expand->conv.weight.shape().n)) {
    const auto e = folded_convolution(expand->conv, expand->bn, x),
               d = folded_convolution(depthwise->conv, depthwise->bn, x),
               p = folded_convolution(project->conv, project->bn, x);
    if (e && d && p) return inverted_residual_inference(x, *e, *d, *p, residual ? x : Tensor(), into);
  }
  const Tensor hidden = (*depthwise)(expand ? (*expand)(x) : x);
  return (*project)(hidden, residual ? x : Tensor(), into);
}

Shape InvertedResidual::output(const Shape& x) const {
  const Conv2d& spatial = depthwise->conv;
  Shape y = convolution_output({x.n, x.h, x.w, spatial.weight.shape().n}, spatial.weight.shape(), spatial.shape);
  y.c = project->conv.weight.shape().n;
  return y;
}

MobileUNet::MobileUNet(const NetworkOptions& o)
    : tap_channels_(scaled_channels(24, o.width)),
      stem_({this, "stem"}, o.in_channels, scaled_channels(32, o.width), 3,
            {.stride = 2, .act = kRelu6, .init = kInit}) {
  std::int64_t c = scaled_channels(32, o.width);
  for (const Stage& stage : kStages) {
    for (int i = 0; i < stage.blocks; ++i) {
      const std::int64_t out = scaled_channels(stage.channels, o.width);
      const Owner owner{this, "block" + std::to_string(blocks_.size() + 1)};
      blocks_.push_back(std::make_unique<InvertedResidual>(owner, c, out, i == 0 ? stage.stride : 1, stage.expansion));
      c = out;
    }
  }
  last_ = conv_norm({this, "last"}, c, scaled_channels(1280, o.width), 1, {.act = kRelu6});
  c = scaled_channels(1280, o.width);
  for (std::size_t i = 0; i < std::size(kSkips); ++i) {
    const std::int64_t out = scaled_channels(kUpChannels[i], o.width);
    const std::string number = std::to_string(i + 1);
    const ConvTranspose2d::Options up{.stride = 2, .pad = 1, .init = kInit};
    ups_.push_back({std::make_unique<ConvTranspose2d>(Owner{this, "up" + number}, c, out, 4, up),
                    std::make_unique<InvertedResidual>(Owner{this, "merge" + number}, 2 * out, out, 1, 6), kSkips[i]});
    c = out;
  }
  head1_ = std::make_unique<Conv2d>(Owner{this, "head1"}, c, 3, 1, Conv2d::Options{.init = kInit});
  head2_ = std::make_unique<Conv2d>(Owner{this, "head2"}, 3, o.classes, 1, Conv2d::Options{.init = kInit});
}

NetworkOutput MobileUNet::forward(const Tensor& image, Random&) const {
  NetworkOutput out;
  Tensor x = stem_(image);
  // A level's concatenation, whose halves are written by the encoder's block and by the transposed convolution.
  std::map<std::size_t, Tensor> levels;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const InvertedResidual& block = *blocks_[i];
    if (std::find(std::begin(kSkips), std::end(kSkips), i + 1) == std::end(kSkips)) {
      x = block(x);
      continue;
    }
    Shape joined = block.output(x.shape());
    const std::int64_t c = joined.c;
    joined.c = 2 * c;
    const Tensor level = levels[i + 1] = Tensor::empty(joined, x.dtype(), x.device());
    x = block(x, level.view_channels(0, c));
    out.taps.push_back({"block" + std::to_string(i + 1), x});
  }
  x = (*last_)(x);
  for (std::size_t i = 0; i < ups_.size(); ++i) {
    const Up& u = ups_[i];
    const Tensor &skip = out.tap("block" + std::to_string(u.skip)), &level = levels.at(u.skip);
    const std::int64_t c = skip.shape().c;
    x = (*u.merge)(concat_channels({skip, (*u.up)(x, level.view_channels(c, c))}, level));
    out.taps.push_back({"merge" + std::to_string(i + 1), x});
  }
  const Tensor small = (*head2_)((*head1_)(x));
  out.logits = resize(small, image.shape().h, image.shape().w, ResizeMode::bilinear);
  return out;
}

}  // namespace gf
