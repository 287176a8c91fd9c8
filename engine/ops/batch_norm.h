#pragma once
// Batch normalisation fused with the activation and residual addition after it (kernels/batch_norm.h has the formula).
// Differentiable once.
#include "engine/tensor.h"
#include "kernels/batch_norm.h"

namespace gf {

// What an op trace (op_trace.h) knows of it beside x, gamma, beta, residual and slope.
struct BatchNormArguments {
  BatchNormShape shape;
  bool training = false;
  Tensor running_mean, running_var;
};

// residual may be empty; `into` is where the result goes (place.h); slope is prelu's, empty with the others. x and
// residual in float32 or bf16, parameters and statistics float32. Training: batch statistics, running statistics
// updated in place. Otherwise the running ones.
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                  const Tensor& running_var, const BatchNormShape& p, bool training, const Tensor& residual = {},
                  const Tensor& slope = {}, const Tensor& into = {});

}  // namespace gf
