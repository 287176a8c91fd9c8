#pragma once
// Weights in the dtype of the activations they meet: themselves in float32, a bf16 copy in mixed precision.
#include "engine/tensor.h"

namespace gf {

// w (float32; may be empty) as `dtype`. A trained weight is cast on the tape, for nothing where it has a shadow. One of
// a frozen module is a constant: its bf16 copy is made once and kept with it.
Tensor weights_as(const Tensor& w, DType dtype);

}  // namespace gf
