#pragma once
// Group normalisation fused with the ReLU and residual addition after it (kernels/group_norm.h has the formula).
// Differentiable once.
#include "engine/tensor.h"
#include "kernels/group_norm.h"

namespace gf {

// residual may be empty. x and residual in float32 or bf16, gamma and beta (1,1,1,c) float32.
Tensor group_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const GroupNormShape& p,
                  const Tensor& residual = {});

}  // namespace gf
