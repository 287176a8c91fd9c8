#pragma once
// Norms of gradients as numbers on the host.
#include "engine/tensor.h"

namespace gf {

// Sum of squares of a dense tensor; waits for the device. In double on the CPU, in float32 by pairs on a GPU.
double squared_norm(const Tensor& t);

}  // namespace gf
