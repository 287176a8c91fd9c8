#pragma once
// 2-D convolution and its relatives (kernels/convolution.h has the formula and the shapes). All twice differentiable:
// forward, input gradient and weight gradient are each other's derivatives.
#include "engine/tensor.h"
#include "kernels/convolution.h"

namespace gf {

// `into`: where the result goes (place.h). x (n,h,w,in), w (out,kh,kw,in/groups), bias (1,1,1,out) or empty.
Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvolutionShape& p);
// convolution, bias, residual (may be empty) and activation in one kernel; inference only (records nothing).
Tensor convolution_inference(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvolutionShape& p,
                             ConvolutionActivation act, const Tensor& residual = {}, const Tensor& into = {});

// A convolution with the batch norm behind it folded in (nn/conv_norm.h).
struct FoldedConvolution {
  Tensor weight, bias;
  ConvolutionShape shape;
  ConvolutionActivation act = ConvolutionActivation::none;
};

// What an op trace (op_trace.h) knows of a transposed convolution; of a convolution it is the ConvolutionShape.
struct TransposedArguments {
  ConvolutionShape shape;
  int output_pad = 0;
};

// w (in,kh,kw,out): the input gradient of a convolution run forwards. out = (h-1)*stride - 2*pad + kh (+ output_pad).
Tensor transposed_convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvolutionShape& p,
                              int output_pad = 0, const Tensor& into = {});

// The two gradients as ops of their own: the result has x's (w's) shape.
Tensor convolution_input_grad(const Tensor& dy, const Tensor& w, const Shape& x, const ConvolutionShape& p);
Tensor convolution_weight_grad(const Tensor& x, const Tensor& dy, const Shape& w, const ConvolutionShape& p);

}  // namespace gf
