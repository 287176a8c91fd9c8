#pragma once
// Reshape, slices, padding, exchanged axes and concatenation; all twice differentiable.
#include <vector>

#include "engine/tensor.h"

namespace gf {

Tensor reshape(const Tensor& x, const Shape& to);                                // dense copy only where x is not dense
Tensor slice_channels(const Tensor& x, std::int64_t begin, std::int64_t count);  // a view of x, no copy
Tensor slice_images(const Tensor& x, std::int64_t begin, std::int64_t count);    // a view of x, no copy

// A map of this height and width, x in its upper left corner and zeros below and to the right (kernels/pad.h); x itself
// where it is as large already.
Tensor pad_corner(const Tensor& x, std::int64_t height, std::int64_t width);
Tensor crop_corner(const Tensor& x, std::int64_t height, std::int64_t width);  // the upper left corner of x
Tensor swap_height_width(const Tensor& x);                                     // (n,h,w,c) -> (n,w,h,c)

// (n,h,w,sum of c). The gradients of the parts are views of dy. `into` is a buffer for the result, dense: parts that an
// op has put in their place there (place.h) are not copied.
Tensor concat_channels(const std::vector<Tensor>& parts, const Tensor& into = {});

}  // namespace gf
