#include "models/transunet.h"

#include <algorithm>

#include "engine/nn/init.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/dropout.h"
#include "engine/ops/pooling.h"
#include "engine/ops/shape.h"
#include "kernels/error.h"
#include "models/transunet_names.h"

namespace gf {
namespace {

// The published network sees three channels; a gray picture is each of them.
std::int64_t seen_channels(std::int64_t in_channels) { return in_channels == 1 ? 3 : in_channels; }

std::string text(const ImageSize& s) { return std::to_string(s.h) + "x" + std::to_string(s.w); }

ImageSize checked_size(ImageSize size, std::int64_t stride) {
  if (size == ImageSize{}) return TransUNet::kPublishedSize;
  if (size.h < stride || size.w < stride || size.h % stride != 0 || size.w % stride != 0)
    throw Error(ErrorKind::usage, {"transunet: no such picture size", "model.image_size",
                                   "height and width that are multiples of " + std::to_string(stride), text(size), ""});
  return size;
}

constexpr PoolShape kRootPool{.kernel = 3, .stride = 2, .pad = 0};

}  // namespace

TransUNet::TransUNet(const NetworkOptions& o)
    : size_(checked_size(o.image_size, kStride)),
      root_channels_(scaled_channels(64, o.width)),
      tokens_channels_(kHeads * root_channels_),
      dropout_(dropout_rate(o, 0.1f)),
      root_({this, "root"}, seen_channels(o.in_channels), root_channels_, 7, {.stride = 2, .bias = false}),
      gn_root_({this, "gn_root"}, root_channels_, {transunet::group_count(root_channels_), 1e-6f, true}),
      block1_({this, "block1"}, root_channels_, 4 * root_channels_, 3, 1),
      block2_({this, "block2"}, 4 * root_channels_, 8 * root_channels_, 4, 2),
      block3_({this, "block3"}, 8 * root_channels_, 16 * root_channels_, 9, 2),
      patches_({this, "patches"}, 16 * root_channels_, tokens_channels_, 1, {}),
      position_(parameter("position", {1, size_.h / kStride, size_.w / kStride, tokens_channels_}, FileLayout::tokens)),
      layers_([this] {
        std::vector<std::unique_ptr<transunet::TransformerBlock>> layers;
        for (std::int64_t i = 1; i <= kLayers; ++i)
          layers.push_back(std::make_unique<transunet::TransformerBlock>(Owner{this, "layer" + std::to_string(i)},
                                                                         tokens_channels_, kHeads, dropout_));
        return layers;
      }()),
      norm_({this, "norm"}, tokens_channels_, transunet::kLayerNormEps),
      bridge_({this, "bridge"}, tokens_channels_, 8 * root_channels_, 3, {.act = NormActivation::relu}),
      up1_({this, "up1"}, 8 * root_channels_, 8 * root_channels_, 4 * root_channels_),
      up2_({this, "up2"}, 4 * root_channels_, 4 * root_channels_, 2 * root_channels_),
      up3_({this, "up3"}, 2 * root_channels_, root_channels_, root_channels_),
      up4_({this, "up4"}, root_channels_, 0, std::max<std::int64_t>(1, root_channels_ / 4)),
      head_({this, "head"}, std::max<std::int64_t>(1, root_channels_ / 4), o.classes, 3, {}) {}

NetworkOutput TransUNet::forward(const Tensor& x, Random& random) const {
  const Shape& s = x.shape();
  if (ImageSize{s.h, s.w} != size_)
    throw Error(ErrorKind::usage,
                {"transunet takes pictures of one size", x.shape().str(), text(size_), text({s.h, s.w}),
                 "set model.image_size to what the pictures are padded to (data.pad_to), or data.shrink"});
  const Tensor root = gn_root_(root_(s.c == 1 ? concat_channels({x, x, x}) : x));
  const Tensor block1 = block1_(max_pool(root, kRootPool));
  const Tensor block2 = block2_(block1);
  const Tensor block3 = block3_(block2);
  Tensor tokens = patches_(block3) + weights_as(position_, x.dtype());
  if (training()) tokens = dropout(tokens, dropout_, random);
  for (const auto& layer : layers_) tokens = (*layer)(tokens, random);
  const Tensor skip1 = pad_corner(block1, s.h / 4, s.w / 4);
  const Tensor bridge = bridge_(norm_(tokens));
  const Tensor up1 = up1_(bridge, block2);
  const Tensor up2 = up2_(up1, skip1);
  const Tensor up3 = up3_(up2, root);
  const Tensor up4 = up4_(up3);
  return {head_(up4),
          {{"root", root},
           {"block1", skip1},
           {"block2", block2},
           {"block3", block3},
           {"bridge", bridge},
           {"up1", up1},
           {"up2", up2},
           {"up3", up3},
           {"up4", up4}}};
}

std::vector<ForeignNames> TransUNet::foreign_names() const { return transunet_names(*this); }

void TransUNet::initialise_own(std::uint64_t, const std::string&) { init_constant(position_, 0.0f); }

}  // namespace gf
