#include "engine/nn/layer_norm.h"

#include "engine/nn/init.h"
#include "engine/ops/layer_norm.h"

namespace gf {

LayerNorm::LayerNorm(const Owner& owner, std::int64_t channels, float e) : Module(owner), eps(e) {
  weight = parameter("weight", {1, 1, 1, channels}, FileLayout::vector);
  bias = parameter("bias", {1, 1, 1, channels}, FileLayout::vector);
}

Tensor LayerNorm::operator()(const Tensor& x) const { return layer_norm(x, weight, bias, eps); }

void LayerNorm::initialise_own(std::uint64_t, const std::string&) {
  init_constant(weight, 1.0f);
  init_constant(bias, 0.0f);
}

}  // namespace gf
