#pragma once
// 2-D convolution (cross-correlation, as in PyTorch) and its two gradients, three separate kernels: each is a
// derivative of the others, which is what makes gradients of gradients work.
//
//   y[n,oh,ow,o] = bias[o] + sum_{kh,kw,i} x[n, oh*stride - pad + kh*dilation, ow*stride - pad + kw*dilation, i] *
//   w[o,kh,kw,i]
//
// float32; on the GPU and under the executor all of a call, bias and db too, in float32 or all in bf16 (sums in
// float32, rounded once; a bias that a kernel cannot add itself is added to the rounded sum). x (n,h,w,in), w
// (out,kh,kw,in/groups), y (n,oh,ow,out), oh = (h + 2*pad_h - dilation_h*(kh-1) - 1)/stride_h
// + 1. groups is 1 or divides both channel counts; groups == in == out is depthwise (w: (c,kh,kw,1)). A transposed
// convolution is convolution_input_grad used forwards, with w (in,kh,kw,out). Views may have any pixel stride; weights
// and bias are dense. Outputs are assigned. Deterministic: the algorithm is a function of shape and instruction set,
// the reduction order is fixed for a given number of threads. Work: 2*n*oh*ow*out*kh*kw*in/groups operations each;
// bytes at least 4*(|x| + |w| + |y|).
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

struct ConvolutionShape {
  int stride_h = 1, stride_w = 1;
  int pad_h = 0, pad_w = 0;
  int dilation_h = 1, dilation_w = 1;
  int groups = 1;

  bool operator==(const ConvolutionShape&) const = default;
};

// "x [4,32,32,16], w [16,3,3,16], stride 1, pad 1", for messages.
std::string describe(const Shape& x, const Shape& w, const ConvolutionShape& p);

// The output's shape; throws with the shapes where they do not fit.
Shape convolution_output(const Shape& x, const Shape& w, const ConvolutionShape& p);

enum class ConvolutionActivation { none, relu, relu6 };

// y = act(conv(x, w) + bias + residual); bias.data and residual.data may be null, the residual has y's shape and dtype
// and is not y's memory.
void convolution_forward(const Cpu&, const ConvolutionShape&, ConstView x, ConstView w, ConstView bias, View y,
                         ConvolutionActivation act = ConvolutionActivation::none, ConstView residual = {});
// dx from dy and w; bias.data may be null (it is given where the kernel runs a transposed convolution forwards and is
// then added per channel of dx).
void convolution_input_grad(const Cpu&, const ConvolutionShape&, ConstView dy, ConstView w, ConstView bias, View dx);
// dw from x and dy, and db (sum of dy over pixels) where db.data is not null.
void convolution_weight_grad(const Cpu&, const ConvolutionShape&, ConstView x, ConstView dy, View dw, View db);

// The executor hands convolutions to the CPU's bodies (bf16 widened there and back, simt/library.h), but for depthwise
// ones: those have kernels of their own (depthwise.h).
void convolution_forward(const Simt&, const ConvolutionShape&, ConstView x, ConstView w, ConstView bias, View y,
                         ConvolutionActivation act = ConvolutionActivation::none, ConstView residual = {});
void convolution_input_grad(const Simt&, const ConvolutionShape&, ConstView dy, ConstView w, ConstView bias, View dx);
void convolution_weight_grad(const Simt&, const ConvolutionShape&, ConstView x, ConstView dy, View dw, View db);

// cuDNN (kernels/cudnn), depthwise ones by depthwise.h.
void convolution_forward(const Cuda&, const ConvolutionShape&, ConstView x, ConstView w, ConstView bias, View y,
                         ConvolutionActivation act = ConvolutionActivation::none, ConstView residual = {});
void convolution_input_grad(const Cuda&, const ConvolutionShape&, ConstView dy, ConstView w, ConstView bias, View dx);
void convolution_weight_grad(const Cuda&, const ConvolutionShape&, ConstView x, ConstView dy, View dw, View db);

// Whether bias, residual and activation join the convolution's own pass; elsewhere they take passes that follow. gaps:
// between the pixels of x, y or the residual.
inline bool fuses_end(const Cpu&, bool /*gaps*/, bool residual) { return !residual; }
inline bool fuses_end(const Simt&, bool, bool) { return true; }
// kernels/cudnn/plan.h says what is wrong with gaps.
inline bool fuses_end(const Cuda&, bool gaps, bool) { return !gaps; }

inline bool has_gaps(const ConstView& v) { return v.pixels() > 1 && v.pixel_stride != v.c; }

}  // namespace gf
