#pragma once
// Depthwise 2-D convolution: each channel is convolved with a small kernel of its own. The same function as
// kernels/convolution.h with groups == c, as a family of its own because nothing is shared between channels: it is
// bound by memory, not by arithmetic.
//
//   y[n,oh,ow,c] = bias[c] + sum_{kh,kw} x[n, oh*stride - pad + kh*dilation, ow*stride - pad + kw*dilation, c] *
//   w[c,kh,kw]
//
// x (n,h,w,c), y (n,oh,ow,c) as in kernels/convolution.h, any pixel stride; w (c,kh,kw,1), dense; kh, kw from 1 to 5;
// strides 1 or 2; any dilation and padding; groups == c. Outside the image x is zero; so an infinity
// or a NaN among a channel's x or dy may reach all its weights' gradients.
// float32; the GPU bodies also take x, y and w in bf16, all three alike (worked in float32, rounded once). The bias and
// its gradient are float32 always; the GPU bodies' weight gradient is float32 or bf16, as the caller likes.
// Outputs are assigned and alias nothing. Deterministic: the order of every sum is fixed by the shapes.
// Work: 2*n*oh*ow*c*kh*kw operations each. Bytes at least, an element being 4 or 2: |x| + |y|.
#include "kernels/convolution.h"

namespace gf {

// Throws, naming the argument, where shapes or dtypes do not fit; every body calls it first. `x` and `y` may be
// gradients; `bias` (or its gradient) may be null.
void check_depthwise(const char* kernel, const ConvolutionShape&, const ConstView& x, const ConstView& w,
                     const ConstView& y, const ConstView& bias);

// Which convolutions of convolution.h are this family's: on the GPU it serves them all, because cuDNN has only its
// slowest engine for them and they are bound by memory.
bool is_depthwise(const ConvolutionShape&, const Shape& x, const Shape& w);

// bias.data may be null.
void depthwise_forward(const Cpu&, const ConvolutionShape&, ConstView x, ConstView w, ConstView bias, View y);
// dx from dy and w.
void depthwise_input_grad(const Cpu&, const ConvolutionShape&, ConstView dy, ConstView w, View dx);
// dw from x and dy, and db (sum of dy over pixels) where db.data is not null.
void depthwise_weight_grad(const Cpu&, const ConvolutionShape&, ConstView x, ConstView dy, View dw, View db);

// The bodies of kernels/cuda/depthwise.cu, compiled by the host compiler and by nvcc.
void depthwise_forward(const Simt&, const ConvolutionShape&, ConstView x, ConstView w, ConstView bias, View y);
void depthwise_input_grad(const Simt&, const ConvolutionShape&, ConstView dy, ConstView w, View dx);
void depthwise_weight_grad(const Simt&, const ConvolutionShape&, ConstView x, ConstView dy, View dw, View db);
void depthwise_forward(const Cuda&, const ConvolutionShape&, ConstView x, ConstView w, ConstView bias, View y);
void depthwise_input_grad(const Cuda&, const ConvolutionShape&, ConstView dy, ConstView w, View dx);
void depthwise_weight_grad(const Cuda&, const ConvolutionShape&, ConstView x, ConstView dy, View dw, View db);

}  // namespace gf
