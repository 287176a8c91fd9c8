#pragma once
// float32 and bf16 side by side. An op's result and its gradients have the dtype of its inputs; inputs of two dtypes
// are refused, but where an op's header says otherwise, so every change of dtype is a cast that can be read in the
// code.
#include "engine/tensor.h"

namespace gf {

// x in float32 or bf16, rounded to the nearest; x itself where it is that already, its shadow (tensor.h) where it has
// one. Twice differentiable: the gradient is cast back.
Tensor cast(const Tensor& x, DType to);

// A float32 weight w (may be empty) in the dtype of the activations it meets. A trained one is cast on the tape; one of
// a frozen module is a constant, whose bf16 copy is made at the first use and kept as its shadow.
Tensor weights_as(const Tensor& w, DType dtype);

// Throws, naming the op, where two inputs differ in dtype. b may be empty.
void require_one_dtype(const char* op, const Tensor& a, const Tensor& b);

}  // namespace gf
