#pragma once
// Reshape, slices and concatenation; all twice differentiable.
#include <vector>

#include "engine/tensor.h"

namespace gf {

Tensor reshape(const Tensor& x, const Shape& to);                                // dense copy only where x is not dense
Tensor slice_channels(const Tensor& x, std::int64_t begin, std::int64_t count);  // a view of x, no copy
Tensor slice_images(const Tensor& x, std::int64_t begin, std::int64_t count);    // a view of x, no copy

// (n,h,w,sum of c). The gradients of the parts are views of dy. `into` is a buffer for the result, dense: parts that an
// op has put in their place there (place.h) are not copied.
Tensor concat_channels(const std::vector<Tensor>& parts, const Tensor& into = {});

}  // namespace gf
