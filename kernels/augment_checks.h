#pragma once
// The checks of both bodies of augment.h.
#include "kernels/augment.h"
#include "kernels/check.h"

namespace gf {

inline void require_augment(const char* kernel, const ConstView& pictures, const ConstView& outside,
                            const ConstView& from, const ConstView& from_labels, const ConstView& to,
                            const ConstView& to_labels) {
  require_view(kernel, "from", from);
  require_view(kernel, "to", to);
  require_same_shape(kernel, "from", from, "to", to);
  require_view(kernel, "from_labels", from_labels, DType::i32);
  require_view(kernel, "to_labels", to_labels, DType::i32);
  require_shape(kernel, "from_labels", from_labels, {from.n, from.h, from.w, 1});
  require_same_shape(kernel, "from_labels", from_labels, "to_labels", to_labels);
  require_view(kernel, "outside", outside);
  require_shape(kernel, "outside", outside, {from.n, 1, 1, from.c});
  require_view(kernel, "pictures", pictures, DType::i32);
  require_dense(kernel, "pictures", pictures);
  require_shape(kernel, "pictures", pictures, {from.n, 1, 1, kChangeWords});
}

}  // namespace gf
