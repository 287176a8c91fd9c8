#pragma once
#include "engine/nn/module.h"

namespace gf {

// PReLU with one learned slope for all channels, 0.25 at first. Behind a batch norm BatchNorm2d does it in the same
// pass; this one stands behind an addition that dropout keeps out of the batch norm.
struct Prelu : Module {
  Tensor slope;

  explicit Prelu(const Owner& owner);
  Tensor operator()(const Tensor& x) const;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

}  // namespace gf
