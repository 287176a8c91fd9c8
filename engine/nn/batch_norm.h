#pragma once
#include "engine/nn/module.h"
#include "kernels/batch_norm.h"

namespace gf {

// Batch normalisation with the activation and residual addition behind it. gamma starts at 1, beta at 0, running mean
// 0, running variance 1, prelu's slope 0.25. File names as in PyTorch: weight, bias, running_mean, running_var; `slope`
// is what PyTorch calls `weight` in the PReLU that follows.
struct BatchNorm2d : Module {
  Tensor weight, bias, running_mean, running_var;
  Tensor slope;  // with NormActivation::prelu, otherwise empty
  BatchNormShape shape;

  // slopes: one for all channels, or as many as there are channels.
  BatchNorm2d(const Owner& owner, std::int64_t channels, NormActivation act = NormActivation::none, float eps = 1e-5f,
              std::int64_t slopes = 1);
  // `into`: where the result goes (ops/place.h).
  Tensor operator()(const Tensor& x, const Tensor& residual = {}, const Tensor& into = {}) const;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

}  // namespace gf
