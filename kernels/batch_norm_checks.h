#pragma once
// The checks of every body of batch_norm.h. They hold all activations to x's dtype; which dtypes x may have is the
// body's own check, made before these.
#include "kernels/batch_norm.h"
#include "kernels/check.h"

namespace gf {

// The learned slope of prelu, or its gradient: one number or one a channel.
inline void require_norm_slope(const char* kernel, const char* name, const ConstView& slope, std::int64_t c) {
  require_vector(kernel, name, slope, slope.c == 1 ? 1 : c);
}

inline void require_norm_forward(const char* kernel, const BatchNormShape& shape, ConstView x, ConstView gamma,
                                 ConstView beta, ConstView residual, ConstView running_mean, ConstView running_var,
                                 ConstView y, ConstView slope) {
  require_view(kernel, "y", y, x.dtype);
  require_same_shape(kernel, "x", x, "y", y);
  require_vector(kernel, "gamma", gamma, x.c);
  require_vector(kernel, "beta", beta, x.c);
  if (residual.data != nullptr) {
    require_view(kernel, "residual", residual, x.dtype);
    require_same_shape(kernel, "residual", residual, "y", y);
  }
  if (shape.act == NormActivation::leaky_relu && shape.slope < 0.0f)
    fail(std::string(kernel) + ": negative slope", describe("y", y), "a slope of at least 0",
         std::to_string(shape.slope), "the backward reads the sign from the output");
  if (shape.act == NormActivation::prelu) require_norm_slope(kernel, "slope", slope, x.c);
  require_vector(kernel, "running_mean", running_mean, x.c);
  require_vector(kernel, "running_var", running_var, x.c);
}

inline void require_norm_backward(const char* kernel, const BatchNormShape& shape, ConstView x, ConstView y,
                                  ConstView dy, ConstView gamma, ConstView saved_mean, ConstView saved_inv_std,
                                  ConstView dx, ConstView dgamma, ConstView dbeta, ConstView d_residual,
                                  const PreluBackward& prelu) {
  require_view(kernel, "dy", dy, x.dtype);
  require_view(kernel, "dx", dx, x.dtype);
  require_same_shape(kernel, "dy", dy, "x", x);
  require_same_shape(kernel, "dx", dx, "x", x);
  if (reads_output(shape.act)) {
    require_view(kernel, "y", y, x.dtype);
    require_same_shape(kernel, "y", y, "x", x);
  }
  if (shape.act == NormActivation::prelu) {
    require_norm_slope(kernel, "slope", prelu.slope, x.c);
    require_vector(kernel, "d_slope", prelu.d_slope, prelu.slope.c);
    require_vector(kernel, "beta", prelu.beta, x.c);
    if (prelu.residual.data != nullptr) {
      require_view(kernel, "residual", prelu.residual, x.dtype);
      require_same_shape(kernel, "residual", prelu.residual, "x", x);
    }
  }
  if (d_residual.data != nullptr) {
    require_view(kernel, "d_residual", d_residual, x.dtype);
    require_same_shape(kernel, "d_residual", d_residual, "x", x);
  }
  require_vector(kernel, "gamma", gamma, x.c);
  require_vector(kernel, "saved_mean", saved_mean, x.c);
  require_vector(kernel, "saved_inv_std", saved_inv_std, x.c);
  require_vector(kernel, "dgamma", dgamma, x.c);
  require_vector(kernel, "dbeta", dbeta, x.c);
}

}  // namespace gf
