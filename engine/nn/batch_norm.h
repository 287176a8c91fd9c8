#pragma once
#include "engine/nn/module.h"
#include "kernels/batch_norm.h"

namespace gf {

// Batch normalisation with the activation and residual addition behind it. gamma starts at 1, beta at 0, running mean
// 0, running variance 1. File names as in PyTorch: weight, bias, running_mean, running_var.
struct BatchNorm2d : Module {
  Tensor weight, bias, running_mean, running_var;
  BatchNormShape shape;

  BatchNorm2d(const Owner& owner, std::int64_t channels, NormActivation act = NormActivation::none, float eps = 1e-5f);
  Tensor operator()(const Tensor& x, const Tensor& residual = {}) const;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

}  // namespace gf
