#include "engine/nn/prelu.h"

#include "engine/nn/init.h"
#include "engine/ops/activation.h"
#include "engine/ops/cast.h"

namespace gf {

Prelu::Prelu(const Owner& owner) : Module(owner), slope(parameter("slope", {}, FileLayout::vector)) {}

Tensor Prelu::operator()(const Tensor& x) const { return prelu(x, weights_as(slope, x.dtype())); }

void Prelu::initialise_own(std::uint64_t, const std::string&) { init_constant(slope, 0.25f); }

}  // namespace gf
