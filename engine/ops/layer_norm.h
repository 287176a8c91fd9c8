#pragma once
// Layer normalisation, and what it does to a convolution's weights (kernels/layer_norm.h has the formula).
// Differentiable once.
#include "engine/tensor.h"

namespace gf {

// Every pixel over its channels. x in float32 or bf16, gamma and beta (1,1,1,c) float32.
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float eps);

// Weight standardisation (Qiao et al. 2019): w (out,kh,kw,in) less its mean over (kh,kw,in) and divided by
// sqrt(variance + eps), for every output channel by itself. float32, dense.
Tensor standardise_weight(const Tensor& w, float eps);

}  // namespace gf
