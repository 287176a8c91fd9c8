#include "engine/nn/group_norm.h"

#include "engine/nn/init.h"
#include "engine/ops/group_norm.h"

namespace gf {

GroupNorm::GroupNorm(const Owner& owner, std::int64_t channels, const GroupNormShape& s) : Module(owner), shape(s) {
  weight = parameter("weight", {1, 1, 1, channels}, FileLayout::vector);
  bias = parameter("bias", {1, 1, 1, channels}, FileLayout::vector);
}

Tensor GroupNorm::operator()(const Tensor& x, const Tensor& residual) const {
  return group_norm(x, weight, bias, shape, residual);
}

void GroupNorm::initialise_own(std::uint64_t, const std::string&) {
  init_constant(weight, 1.0f);
  init_constant(bias, 0.0f);
}

}  // namespace gf
