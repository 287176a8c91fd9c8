#pragma once
// What the bodies of softmax.h check alike, once the first view's dtype is known to be one they take.
#include "kernels/check.h"

namespace gf {

// y like x: dtype and shape.
inline void require_softmax(const char* kernel, const char* name_x, const ConstView& x, const char* name_y,
                            const ConstView& y) {
  require_view(kernel, name_y, y, x.dtype);
  require_same_shape(kernel, name_x, x, name_y, y);
}

inline void require_softmax_backward(const char* kernel, const ConstView& y, const ConstView& dy, const ConstView& dx) {
  require_softmax(kernel, "y", y, "dy", dy);
  require_softmax(kernel, "y", y, "dx", dx);
}

inline void require_argmax(const char* kernel, const ConstView& x, const ConstView& label) {
  require_view(kernel, "label", label, DType::i32);
  require_shape(kernel, "label", label, {x.n, x.h, x.w, 1});
  if (x.c == 0) fail(std::string(kernel) + ": no channels", describe("x", x));
}

}  // namespace gf
