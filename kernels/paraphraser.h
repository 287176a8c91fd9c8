#pragma once
// The paraphraser's encoder (Factor Transfer; method 2) on a frozen teacher's features: three 3x3 layers, stride 1,
// zero padding 1, each with bias and LeakyReLU. Forward only: during distillation the teacher is a constant.
//
//   layer:   y[n,y,x,o] = leaky(b[o] + sum over 3x3 taps and i of x[n,y+dy,x+dx,i] * w[o,dy,dx,i])
//   encode:  layer C -> C, then the narrow layers C -> K -> K chained in one kernel, K at most 32
//
// For tensor cores: x, y bf16 (n,h,w,c) of any pixel stride, w bf16 (out,3,3,in) dense, bias float32 (1,1,1,out); sums
// in float32, every layer's output rounded to bf16. y is assigned and must not overlap x. Deterministic. In float32 the
// encoder is convolution.h and elementwise.h's leaky_relu, which is also this kernel's reference and its rival.
// Work: 2*9*in*out operations a pixel; bytes at least 2*(|x| + |w| + |y|).
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

constexpr std::int64_t kMaxFactors = 32;  // K of the chained layers

// One layer by tensor cores, and the same thread by thread: the plain text of the formula, for learning and comparing.
void paraphraser_layer(const Simt&, float slope, ConstView x, ConstView w, ConstView bias, View y);
void paraphraser_layer_naive(const Simt&, float slope, ConstView x, ConstView w, ConstView bias, View y);
// The two narrow layers: w1 (K,3,3,C), w2 (K,3,3,K); what lies between them never leaves the chip.
void paraphraser_narrow_layers(const Simt&, float slope, ConstView x, ConstView w1, ConstView bias1, ConstView w2,
                               ConstView bias2, View y);

void paraphraser_layer(const Cuda&, float slope, ConstView x, ConstView w, ConstView bias, View y);
void paraphraser_layer_naive(const Cuda&, float slope, ConstView x, ConstView w, ConstView bias, View y);
void paraphraser_narrow_layers(const Cuda&, float slope, ConstView x, ConstView w1, ConstView bias1, ConstView w2,
                               ConstView bias2, View y);

}  // namespace gf
