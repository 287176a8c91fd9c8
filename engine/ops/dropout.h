#pragma once
#include "engine/random.h"
#include "engine/tensor.h"

namespace gf {

// Drops with probability p and scales what is left by 1/(1-p). Both take the next random stream; p == 0 returns x and
// draws nothing.
Tensor dropout(const Tensor& x, float p, Random& random);    // single numbers
Tensor dropout2d(const Tensor& x, float p, Random& random);  // whole channels of an image

}  // namespace gf
