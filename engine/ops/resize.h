#pragma once
// Nearest and bilinear resize (kernels/resize.h has the corner conventions). Linear, so twice differentiable. In an op
// trace its arguments are the ResizeMode.
#include "engine/tensor.h"
#include "kernels/resize.h"

namespace gf {

Tensor resize(const Tensor& x, std::int64_t height, std::int64_t width, ResizeMode mode);

}  // namespace gf
