#pragma once
// Where an op puts its result. A concatenation costs nothing where its parts are written into its buffer by the ops
// that make them: such ops take `into`, a channel range of that buffer (Tensor::view_channels).
#include "engine/tensor.h"

namespace gf {

// `into` as the result of an op, or a fresh tensor where it is empty. Throws, naming the op, where it does not fit.
Tensor place_for(const char* op, const Tensor& into, const Shape& shape, DType dtype, const Device& device);

}  // namespace gf
