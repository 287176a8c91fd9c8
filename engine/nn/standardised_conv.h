#pragma once
// A convolution whose weights are standardised per output channel before every use (ops/layer_norm.h,
// standardise_weight; eps 1e-5), as residual networks with group norm are trained. What is trained, counted and saved
// is the weight before that. A frozen one is standardised at its first use and kept.
#include "engine/nn/convolution.h"

namespace gf {

struct StandardisedConv2d : Conv2d {
  using Conv2d::Conv2d;
  Tensor operator()(const Tensor& x) const;

 private:
  mutable Tensor kept_;
};

}  // namespace gf
