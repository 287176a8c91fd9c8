#pragma once
// Elementwise arithmetic with broadcasting. float32, the GPU bodies also bf16 (worked in float32, rounded once), one
// dtype for all views of a call but where said otherwise. Any pixel stride on every view.
//
// Broadcasting: each of n, h, w, c of an input is either the output's or 1. Outputs are assigned, never added to,
// except by `axpy` and `sum_to`'s accumulate flag. y may alias an input that has y's own shape.
// Work: one pass, (inputs + 1) * 4 (bf16: 2) bytes an element; deterministic (no reductions but sum_to, which has a
// fixed order).
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

enum class Binary { add, sub, mul, div };
// y = a op b
void binary(const Cpu&, Binary op, ConstView a, ConstView b, View y);

// `p` is the slope of leaky_relu, the factor of scale, the term of shift; unused otherwise. gelu: x times the normal
// distribution function of x, by erf and not by tanh.
enum class Unary { relu, leaky_relu, relu6, tanh, exp, log, sqrt, square, abs, scale, shift, sigmoid, gelu };
// y = f(x)
void unary(const Cpu&, Unary op, float p, ConstView x, View y);
// dx = dy * f'(x); at a kink PyTorch's choice: 0 for relu at 0, relu6 at 0 and 6, abs at 0; p for leaky_relu at 0.
void unary_backward(const Cpu&, Unary op, float p, ConstView x, ConstView dy, View dx);

// y += alpha * x (same shapes)
void axpy(const Cpu&, float alpha, ConstView x, View y);
// y = value everywhere
void fill(const Cpu&, float value, View y);
// y = x, converting the pixel stride; any dtype, the same on both sides, or from f32 to bf16 (rounded) or back
void copy(const Cpu&, ConstView x, View y);

// y = alpha * sum of x over every axis where y has extent 1 and x has not; the adjoint of broadcasting.
// Sums are accumulated in double (CPU) or pairwise (GPU), in an order fixed by the shapes. With `accumulate`, y += .
// On the GPU x and y are each f32 or bf16.
void sum_to(const Cpu&, float alpha, ConstView x, View y, bool accumulate = false);

// The bodies of kernels/cuda/elementwise.cu and sum_to.cu, compiled by the host compiler and by nvcc.
void binary(const Simt&, Binary op, ConstView a, ConstView b, View y);
void unary(const Simt&, Unary op, float p, ConstView x, View y);
void unary_backward(const Simt&, Unary op, float p, ConstView x, ConstView dy, View dx);
void axpy(const Simt&, float alpha, ConstView x, View y);
void fill(const Simt&, float value, View y);
void copy(const Simt&, ConstView x, View y);
void sum_to(const Simt&, float alpha, ConstView x, View y, bool accumulate = false);
void binary(const Cuda&, Binary op, ConstView a, ConstView b, View y);
void unary(const Cuda&, Unary op, float p, ConstView x, View y);
void unary_backward(const Cuda&, Unary op, float p, ConstView x, ConstView dy, View dx);
void axpy(const Cuda&, float alpha, ConstView x, View y);
void fill(const Cuda&, float value, View y);
void copy(const Cuda&, ConstView x, View y);
void sum_to(const Cuda&, float alpha, ConstView x, View y, bool accumulate = false);

}  // namespace gf
