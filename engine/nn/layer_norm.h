#pragma once
#include "engine/nn/module.h"

namespace gf {

// Layer normalisation of every pixel's channels (ops/layer_norm.h). gamma starts at 1, beta at 0; file names as in
// PyTorch: weight, bias.
struct LayerNorm : Module {
  Tensor weight, bias;
  float eps;

  LayerNorm(const Owner& owner, std::int64_t channels, float eps);
  Tensor operator()(const Tensor& x) const;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

}  // namespace gf
