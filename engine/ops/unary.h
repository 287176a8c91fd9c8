#pragma once
// The forward of a unary kernel without a tape node: a building block for ops that record their own.
#include "engine/tensor.h"
#include "kernels/elementwise.h"

namespace gf {

inline Tensor apply_unary(Unary op, float p, const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { unary(d, op, p, x.view(), y.mutable_view()); });
  return y;
}

}  // namespace gf
