#pragma once
// What the bodies of group_norm.h check alike, once x's dtype is known to be one they take.
#include "kernels/check.h"
#include "kernels/group_norm.h"

namespace gf {

inline void require_groups(const char* kernel, const GroupNormShape& shape, const ConstView& x, const ConstView& gamma,
                           const ConstView& mean, const ConstView& inv_std) {
  if (shape.groups < 1 || x.c % shape.groups != 0)
    fail(std::string(kernel) + ": channels do not divide into groups", describe("x", x),
         "a divisor of " + std::to_string(x.c), std::to_string(shape.groups) + " groups");
  require_vector(kernel, "gamma", gamma, x.c);
  for (const auto& [name, v] : {std::pair{"mean", mean}, std::pair{"inv_std", inv_std}}) {
    require_view(kernel, name, v);
    require_shape(kernel, name, v, {x.n, 1, 1, shape.groups});
    require_dense(kernel, name, v);
  }
}

inline void require_group_norm_forward(const char* kernel, const GroupNormShape& shape, const ConstView& x,
                                       const ConstView& gamma, const ConstView& beta, const ConstView& residual,
                                       const ConstView& mean, const ConstView& inv_std, const ConstView& y) {
  require_groups(kernel, shape, x, gamma, mean, inv_std);
  require_vector(kernel, "beta", beta, x.c);
  require_like(kernel, "y", y, x);
  require_same_shape(kernel, "x", x, "y", y);
  if (residual.data == nullptr) return;
  require_like(kernel, "residual", residual, x);
  require_same_shape(kernel, "x", x, "residual", residual);
}

inline void require_group_norm_backward(const char* kernel, const GroupNormShape& shape, const ConstView& x,
                                        const ConstView& y, const ConstView& dy, const ConstView& gamma,
                                        const ConstView& mean, const ConstView& inv_std, const ConstView& dx,
                                        const ConstView& dgamma, const ConstView& dbeta, const ConstView& d_residual) {
  require_groups(kernel, shape, x, gamma, mean, inv_std);
  require_vector(kernel, "dgamma", dgamma, x.c);
  require_vector(kernel, "dbeta", dbeta, x.c);
  const auto like_x = [&](const char* name, const ConstView& v) {
    require_like(kernel, name, v, x);
    require_same_shape(kernel, "x", x, name, v);
  };
  like_x("dy", dy);
  like_x("dx", dx);
  if (shape.relu) like_x("y", y);
  if (d_residual.data != nullptr) like_x("d_residual", d_residual);
}

}  // namespace gf
