#include "models/unet.h"

#include "engine/ops/pooling.h"
#include "engine/ops/shape.h"

namespace gf {
namespace {

constexpr std::size_t kLevels = 5;

}  // namespace

UNet::Double::Double(const Owner& owner, std::int64_t in, std::int64_t out)
    : Module(owner),
      first({this, "first"}, in, out, 3, {.act = NormActivation::relu}),
      second({this, "second"}, out, out, 3, {.act = NormActivation::relu}) {}

UNet::UNet(const NetworkOptions& o) : tap_channels_(scaled_channels(256, o.width)) {
  std::vector<std::int64_t> channels{o.in_channels};  // channels[i]: of level i
  for (std::size_t i = 1; i <= kLevels; ++i) {
    channels.push_back(scaled_channels(std::int64_t{32} << i, o.width));
    encoders_.push_back(
        std::make_unique<Double>(Owner{this, "encoder" + std::to_string(i)}, channels[i - 1], channels[i]));
  }
  for (std::size_t i = kLevels - 1; i >= 1; --i) {
    const std::string number = std::to_string(i);
    const ConvTranspose2d::Options twice{.stride = 2};
    decoders_.push_back(
        {std::make_unique<ConvTranspose2d>(Owner{this, "up" + number}, channels[i + 1], channels[i], 2, twice),
         std::make_unique<Double>(Owner{this, "decoder" + number}, 2 * channels[i], channels[i])});
  }
  classifier_ = std::make_unique<Conv2d>(Owner{this, "classifier"}, channels[1], o.classes, 1, Conv2d::Options{});
}

NetworkOutput UNet::forward(const Tensor& image, Random&) const {
  NetworkOutput out;
  Tensor x = image;
  for (std::size_t i = 1; i <= kLevels; ++i) {
    x = (*encoders_[i - 1])(i == 1 ? x : max_pool(x));
    out.taps.push_back({"encoder" + std::to_string(i), x});
  }
  for (std::size_t i = kLevels - 1; i >= 1; --i) {
    const Level& level = decoders_[kLevels - 1 - i];
    const Tensor skip = out.taps[i - 1].map;
    x = (*level.decoder)(concat_channels({skip, (*level.up)(x)}));
    out.taps.push_back({"decoder" + std::to_string(i), x});
  }
  out.logits = (*classifier_)(x);
  return out;
}

}  // namespace gf
