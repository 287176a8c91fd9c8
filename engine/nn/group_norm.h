#pragma once
#include "engine/nn/module.h"
#include "kernels/group_norm.h"

namespace gf {

// Group normalisation with the ReLU and residual addition behind it (ops/group_norm.h). gamma starts at 1, beta at 0;
// file names as in PyTorch: weight, bias.
struct GroupNorm : Module {
  Tensor weight, bias;
  GroupNormShape shape;

  GroupNorm(const Owner& owner, std::int64_t channels, const GroupNormShape& shape);
  Tensor operator()(const Tensor& x, const Tensor& residual = {}) const;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

}  // namespace gf
