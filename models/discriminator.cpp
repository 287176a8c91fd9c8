#include "models/discriminator.h"

#include "engine/nn/init.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "models/network.h"

namespace gf {
namespace {

constexpr float kSlope = 0.1f;
constexpr float kNormEps = 1e-5f;
constexpr Conv2d::Options kHalve{.stride = 2};  // with a 4x4 kernel: padding 1

}  // namespace

Preprocess parse_preprocess(const std::string& word) {
  if (word == "none") return Preprocess::none;
  if (word == "tanh") return Preprocess::tanh;
  if (word == "batch_norm") return Preprocess::batch_norm;
  if (word == "bytes") return Preprocess::bytes;
  throw Error(ErrorKind::usage,
              {"unknown preprocessing", "discriminator", "none, tanh, batch_norm or bytes", word, ""});
}

Discriminator::Discriminator(const Options& o, const Owner& owner)
    : Module(owner),
      options_(o),
      layer1_({this, "layer1"}, o.channels, scaled_channels(64, o.width), 4, kHalve),
      layer2_({this, "layer2"}, scaled_channels(64, o.width), scaled_channels(128, o.width), 4, kHalve),
      layer3_({this, "layer3"}, scaled_channels(128, o.width), scaled_channels(256, o.width), 4, kHalve),
      layer4_({this, "layer4"}, scaled_channels(256, o.width), scaled_channels(512, o.width), 4, kHalve),
      attention1_({this, "attention1"}, scaled_channels(256, o.width)),
      attention2_({this, "attention2"}, scaled_channels(512, o.width)),
      last_({this, "last"}, scaled_channels(512, o.width), 1, 4, {}) {
  last_.shape.pad_h = last_.shape.pad_w = 0;
  if (o.preprocess != Preprocess::batch_norm) return;
  norm_weight_ = parameter("norm.weight", {1, 1, 1, o.channels}, FileLayout::vector);
  norm_bias_ = parameter("norm.bias", {1, 1, 1, o.channels}, FileLayout::vector);
}

// Batch norm in ops that are twice differentiable, which the fused one is not.
Tensor Discriminator::preprocessed(const Tensor& x) const {
  switch (options_.preprocess) {
    case Preprocess::none:
      break;
    case Preprocess::tanh:
      return tanh(x);
    case Preprocess::bytes:
      return (2.0f / 255.0f) * x - 1.0f;
    case Preprocess::batch_norm: {
      const Shape per_channel{1, 1, 1, x.shape().c};
      const float share = 1.0f / static_cast<float>(x.shape().pixels());
      const Tensor centred = x - sum_to(x, per_channel, share);
      const Tensor variance = sum_to(square(centred), per_channel, share);
      return norm_weight_ * (centred / sqrt(variance + kNormEps)) + norm_bias_;
    }
  }
  return x;
}

Tensor Discriminator::operator()(const Tensor& x) const {
  const Shape& s = x.shape();
  if (s.h < kSmallest || s.w < kSmallest)
    throw Error(ErrorKind::usage, {"picture too small for the discriminator", "logits " + s.str(),
                                   "height and width of at least " + std::to_string(kSmallest) +
                                       ": it halves them four times and looks "
                                       "at windows of 4x4",
                                   std::to_string(s.h) + "x" + std::to_string(s.w),
                                   "use larger pictures (data.pad_to), or set distill.adversarial.weight to 0"});
  const Tensor a = leaky_relu(layer1_(preprocessed(x)), kSlope);
  const Tensor b = leaky_relu(layer2_(a), kSlope);
  const Tensor c = attention1_(leaky_relu(layer3_(b), kSlope));
  return last_(attention2_(leaky_relu(layer4_(c), kSlope)));
}

void Discriminator::initialise_own(std::uint64_t, const std::string&) {
  if (!norm_weight_) return;
  init_constant(norm_weight_, 1.0f);
  init_constant(norm_bias_, 0.0f);
}

}  // namespace gf
