#include "engine/nn/batch_norm.h"

#include "engine/nn/init.h"
#include "engine/ops/batch_norm.h"

namespace gf {

BatchNorm2d::BatchNorm2d(const Owner& owner, std::int64_t channels, NormActivation act, float eps, std::int64_t slopes)
    : Module(owner) {
  const Shape s{1, 1, 1, channels};
  weight = parameter("weight", s, FileLayout::vector);
  bias = parameter("bias", s, FileLayout::vector);
  if (act == NormActivation::prelu) slope = parameter("slope", {1, 1, 1, slopes}, FileLayout::vector);
  running_mean = buffer("running_mean", s, 0.0f);
  running_var = buffer("running_var", s, 1.0f);
  shape.eps = eps;
  shape.act = act;
}

Tensor BatchNorm2d::operator()(const Tensor& x, const Tensor& residual, const Tensor& into) const {
  return batch_norm(x, weight, bias, running_mean, running_var, shape, training(), residual, slope, into);
}

void BatchNorm2d::initialise_own(std::uint64_t, const std::string&) {
  init_constant(weight, 1.0f);
  init_constant(bias, 0.0f);
  if (slope) init_constant(slope, 0.25f);
  init_constant(running_mean, 0.0f);
  init_constant(running_var, 1.0f);
}

}  // namespace gf
