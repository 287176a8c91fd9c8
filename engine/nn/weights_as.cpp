#include "engine/nn/weights_as.h"

#include "engine/ops/cast.h"

namespace gf {

Tensor weights_as(const Tensor& w, DType dtype) {
  if (!w || w.dtype() == dtype) return w;
  const bool constant = !w.requires_grad();
  if (constant && !w.shadow()) w.set_shadow(cast(w, dtype));
  return cast(w, dtype);
}

}  // namespace gf
