#include "distill/paraphraser.h"

#include "engine/ops/activation.h"
#include "engine/ops/paraphraser.h"

namespace gf {
namespace {
constexpr float kSlope = 0.1f;
}

Paraphraser::Paraphraser(const Owner& owner, std::int64_t channels, std::int64_t factors)
    : Module(owner),
      channels_(channels),
      factors_(factors),
      encoder0_({this, "encoder0"}, channels, channels, 3, {}),
      encoder1_({this, "encoder1"}, channels, factors, 3, {}),
      encoder2_({this, "encoder2"}, factors, factors, 3, {}),
      decoder0_({this, "decoder0"}, factors, factors, 3, {.pad = 1}),
      decoder1_({this, "decoder1"}, factors, channels, 3, {.pad = 1}),
      decoder2_({this, "decoder2"}, channels, channels, 3, {.pad = 1}) {}

Tensor Paraphraser::encode(const Tensor& map) const {
  const bool kernels = paraphraser_kernels_take(map);
  const Tensor a = kernels ? paraphraser_layer_inference(map, encoder0_.weight, encoder0_.bias, kSlope)
                           : leaky_relu(encoder0_(map), kSlope);
  if (kernels && factors_ <= kMaxFactors)
    return paraphraser_narrow_layers_inference(a, encoder1_.weight, encoder1_.bias, encoder2_.weight, encoder2_.bias,
                                               kSlope);
  const Tensor b = leaky_relu(encoder1_(a), kSlope);
  return leaky_relu(encoder2_(b), kSlope);
}

Tensor Paraphraser::decode(const Tensor& factors) const {
  const Tensor a = leaky_relu(decoder0_(factors), kSlope);
  const Tensor b = leaky_relu(decoder1_(a), kSlope);
  return leaky_relu(decoder2_(b), kSlope);
}

ParaphraserPair::ParaphraserPair(const Owner& owner, const ParaphraserSizes& s)
    : Module(owner),
      shallow({this, "shallow"}, s.shallow_channels, s.factors),
      deep({this, "deep"}, s.deep_channels, s.factors) {}

Paraphrasers::Paraphrasers(const std::vector<ParaphraserSizes>& sizes) {
  for (std::size_t i = 0; i < sizes.size(); ++i)
    pairs_.push_back(
        std::make_unique<ParaphraserPair>(Owner{this, i == 0 ? "" : "pair" + std::to_string(i + 1)}, sizes[i]));
}

}  // namespace gf
