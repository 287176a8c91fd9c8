#pragma once
// Normalisation of every pixel over its own channels, (n,h,w,c), any pixel stride:
//   y[p,c] = gamma[c] * x^[p,c] + beta[c],  x^[p,c] = (x[p,c] - mean[p]) * inv_std[p],  inv_std = 1 / sqrt(var + eps)
// with mean and (biased) variance of that pixel's c channels. Rows of a weight matrix as pixels: weight
// standardisation. Source: Ba et al. 2016.
//
// x, dy, y, dx: float32, the GPU bodies also bf16, one dtype for all of them (worked in float32, rounded once). gamma
// and beta (1,1,1,c) float32, or both null: y = x^. mean and inv_std (n,h,w,1) float32, any pixel stride. Outputs are
// assigned; y may alias x, dx may alias x or dy. Deterministic: sums over pixels go by chunks that depend on the shape
// only. Least work: forward x once and y once, backward x, dy and dx once.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

void layer_norm_forward(const Cpu&, float eps, ConstView x, ConstView gamma, ConstView beta, View mean, View inv_std,
                        View y);
// With g = gamma * dy, means over a pixel's channels:
//   dx = inv_std * (g - mean(g) - x^ * mean(g x^)),   dgamma = sum over pixels of dy x^,   dbeta = sum over pixels of
//   dy
// dgamma and dbeta are null where gamma is.
void layer_norm_backward(const Cpu&, ConstView x, ConstView gamma, ConstView dy, ConstView mean, ConstView inv_std,
                         View dx, View dgamma, View dbeta);

// The bodies of kernels/cuda/layer_norm.cu, compiled by the host compiler and by nvcc.
void layer_norm_forward(const Simt&, float eps, ConstView x, ConstView gamma, ConstView beta, View mean, View inv_std,
                        View y);
void layer_norm_backward(const Simt&, ConstView x, ConstView gamma, ConstView dy, ConstView mean, ConstView inv_std,
                         View dx, View dgamma, View dbeta);
void layer_norm_forward(const Cuda&, float eps, ConstView x, ConstView gamma, ConstView beta, View mean, View inv_std,
                        View y);
void layer_norm_backward(const Cuda&, ConstView x, ConstView gamma, ConstView dy, ConstView mean, ConstView inv_std,
                         View dx, View dgamma, View dbeta);

}  // namespace gf
