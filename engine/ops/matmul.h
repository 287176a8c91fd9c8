#pragma once
// Matrix products of (n,1,rows,cols) tensors (kernels/matmul.h); the batch of one side may be 1. Twice differentiable.
#include "engine/tensor.h"

namespace gf {

// op(a) * op(b), op = transpose where asked.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

}  // namespace gf
