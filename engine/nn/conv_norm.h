#pragma once
#include "engine/nn/batch_norm.h"
#include "engine/nn/convolution.h"

namespace gf {

// Convolution without bias, then batch norm with its activation: X.conv.weight, X.bn.*.
struct ConvNorm : Module {
  Conv2d conv;
  BatchNorm2d bn;

  struct Options {
    int stride = 1, groups = 1;
    NormActivation act = NormActivation::none;
    WeightInit init = WeightInit::pytorch;
  };
  ConvNorm(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k, const Options& o)
      : Module(owner),
        conv({this, "conv"}, in, out, k, {.stride = o.stride, .groups = o.groups, .bias = false, .init = o.init}),
        bn({this, "bn"}, out, o.act) {}
  Tensor operator()(const Tensor& x, const Tensor& residual = {}) const { return bn(conv(x), residual); }
};

}  // namespace gf
