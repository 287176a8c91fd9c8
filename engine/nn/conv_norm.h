#pragma once
// A convolution with the batch norm behind it. In a frozen module in evaluation mode the two are one convolution:
//   w'[o] = g_o w[o],  bias' = g (bias - mean) + beta,  g = gamma / sqrt(var + eps)
// which saves a pass over the activations. The folded weights are made at the first use and kept. bf16 activations are
// folded only where that is asked for (Module::freeze): a convolution's bias is bf16 there (cuDNN has no engine that
// adds a float32 one), and bias' rounded moves a whole channel by up to 1/512 of itself, which the layers behind do not
// average away: on a trained FANet the error of logits and taps was twice that of two kernels.
#include <optional>

#include "engine/nn/batch_norm.h"
#include "engine/nn/convolution.h"
#include "engine/ops/convolution.h"

namespace gf {

// The one convolution that the two are for this x; nothing where they stay two.
std::optional<FoldedConvolution> folded_convolution(const Conv2d& conv, const BatchNorm2d& bn, const Tensor& x);

// bn(conv(x), residual), folded where that is allowed and saves something: with no activation, a ReLU or a ReLU6, which
// the convolution does itself. Not where the convolution would do the rest in passes of its own (fuses_end): one pass
// of the batch norm does as well. `into`: where the result goes (ops/place.h).
Tensor conv_norm(const Conv2d& conv, const BatchNorm2d& bn, const Tensor& x, const Tensor& residual = {},
                 const Tensor& into = {});

// Convolution, without bias unless asked for, then batch norm with its activation: X.conv.weight, X.bn.*.
struct ConvNorm : Module {
  Conv2d conv;
  BatchNorm2d bn;

  struct Options {
    int stride = 1, dilation = 1, groups = 1;
    NormActivation act = NormActivation::none;
    WeightInit init = WeightInit::pytorch;
    bool bias = false;
    float eps = 1e-5f;
  };
  ConvNorm(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k, const Options& o)
      : Module(owner),
        conv({this, "conv"}, in, out, k,
             {.stride = o.stride, .dilation = o.dilation, .groups = o.groups, .bias = o.bias, .init = o.init}),
        bn({this, "bn"}, out, o.act, o.eps) {}
  Tensor operator()(const Tensor& x, const Tensor& residual = {}, const Tensor& into = {}) const {
    return conv_norm(conv, bn, x, residual, into);
  }
};

}  // namespace gf
