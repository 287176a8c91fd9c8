#pragma once
// How a convolution is computed on the CPU. Four ways give the same sums; which one is quickest depends on the shape,
// and `choose` is the table that says so, with what was measured beside each line.
#include "kernels/cpu/onednn.h"

namespace gf::cpu {

enum class Method {
  direct,    // oneDNN on NHWC in place
  blocked,   // oneDNN's own layout, activations reordered in and out
  mirrored,  // the forward kernel computes the input gradient, or the other way round, with turned weights
  gemm,      // one matrix product, over the pixels themselves (1x1) or over gathered patches
};

// One call of a kernel. What the operation writes (y, dx or dw and db) is written; the rest is only read.
struct ConvolutionCall {
  onednn::Operation operation;
  ConvolutionShape shape;
  View x, w, y;
  View bias;  // forward and input_grad: added where data is not null; weight_grad: db
  ConvolutionActivation act = ConvolutionActivation::none;

  // Every output pixel depends on one input pixel, its own.
  bool pointwise() const {
    return w.h == 1 && w.w == 1 && shape.stride_h == 1 && shape.stride_w == 1 && shape.pad_h == 0 && shape.pad_w == 0;
  }
};

// True where the method can compute the call at all.
bool supports(Method, const ConvolutionCall&);

// The quickest method: a function of shapes, pixel strides and instruction set, never of a clock.
Method choose(const ConvolutionCall&);

void run(const Cpu&, const ConvolutionCall&, Method);

}  // namespace gf::cpu
