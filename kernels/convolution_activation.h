#pragma once
// The activation of a convolution as a pass of its own, where its kernel cannot do it.
#include "kernels/convolution.h"
#include "kernels/elementwise.h"

namespace gf {

template <class Device>
void activate(const Device& device, ConvolutionActivation act, View y) {
  if (act == ConvolutionActivation::relu) unary(device, Unary::relu, 0, y, y);
  if (act == ConvolutionActivation::relu6) unary(device, Unary::relu6, 0, y, y);
}

}  // namespace gf
