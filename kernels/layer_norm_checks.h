#pragma once
// What the bodies of layer_norm.h check alike, once x's dtype is known to be one they take.
#include "kernels/check.h"

namespace gf {

inline void require_pixel_statistics(const char* kernel, const ConstView& x, const ConstView& mean,
                                     const ConstView& inv_std) {
  for (const auto& [name, v] : {std::pair{"mean", mean}, std::pair{"inv_std", inv_std}}) {
    require_view(kernel, name, v);
    require_shape(kernel, name, v, {x.n, x.h, x.w, 1});
  }
}

inline void require_layer_norm_forward(const char* kernel, const ConstView& x, const ConstView& gamma,
                                       const ConstView& beta, const ConstView& mean, const ConstView& inv_std,
                                       const ConstView& y) {
  require_like(kernel, "y", y, x);
  require_same_shape(kernel, "x", x, "y", y);
  if (gamma.data != nullptr || beta.data != nullptr) {
    require_vector(kernel, "gamma", gamma, x.c);
    require_vector(kernel, "beta", beta, x.c);
  }
  require_pixel_statistics(kernel, x, mean, inv_std);
}

inline void require_layer_norm_backward(const char* kernel, const ConstView& x, const ConstView& gamma,
                                        const ConstView& dy, const ConstView& mean, const ConstView& inv_std,
                                        const ConstView& dx, const ConstView& dgamma, const ConstView& dbeta) {
  require_like(kernel, "dy", dy, x);
  require_same_shape(kernel, "x", x, "dy", dy);
  require_like(kernel, "dx", dx, x);
  require_same_shape(kernel, "x", x, "dx", dx);
  require_pixel_statistics(kernel, x, mean, inv_std);
  if (gamma.data == nullptr) {
    if (dgamma.data != nullptr || dbeta.data != nullptr)
      fail(std::string(kernel) + ": a gradient without its parameter", describe("x", x), "no dgamma and no dbeta");
    return;
  }
  require_vector(kernel, "gamma", gamma, x.c);
  require_vector(kernel, "dgamma", dgamma, x.c);
  require_vector(kernel, "dbeta", dbeta, x.c);
}

}  // namespace gf
