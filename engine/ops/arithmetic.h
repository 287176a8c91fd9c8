#pragma once
// Elementwise arithmetic with broadcasting (kernels/elementwise.h): each extent of an input is the output's or 1.
// All twice differentiable.
#include "engine/tensor.h"

namespace gf {

Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& x);
Tensor operator*(float a, const Tensor& x);
Tensor operator+(const Tensor& x, float a);
inline Tensor operator*(const Tensor& x, float a) { return a * x; }
inline Tensor operator-(const Tensor& x, float a) { return x + (-a); }

Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor square(const Tensor& x);

// alpha * sum over every axis where `to` has extent 1; the adjoint of broadcasting.
Tensor sum_to(const Tensor& x, const Shape& to, float alpha = 1.0f);
Tensor sum(const Tensor& x);           // scalar
Tensor mean(const Tensor& x);          // scalar
Tensor spatial_mean(const Tensor& x);  // (n,1,1,c), float32 of bf16 too: global average pooling
Tensor broadcast_to(const Tensor& x, const Shape& to);

}  // namespace gf
