#pragma once
// Labels as masks (kernels/one_hot.h). Off the tape.
#include "engine/tensor.h"

namespace gf {

// (n,h,w,1) i32 -> (n,h,w,classes) float32 of 0 and 1; all 0 where the label is ignore_index or no class.
Tensor one_hot(const Tensor& label, std::int64_t classes, int ignore_index);

}  // namespace gf
