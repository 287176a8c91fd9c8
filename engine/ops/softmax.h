#pragma once
// Softmax over channels. Twice differentiable.
#include "engine/tensor.h"

namespace gf {

Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);
Tensor argmax_channels(const Tensor& x);  // (n,h,w,1) i32, off the tape

}  // namespace gf
