#pragma once
#include "engine/random.h"
#include "engine/tensor.h"

namespace gf {

// Dropout2d: drops whole channels of an image with probability p, scales the others by 1/(1-p). Takes the next random
// stream; p == 0 returns x and draws nothing.
Tensor dropout2d(const Tensor& x, float p, Random& random);

}  // namespace gf
