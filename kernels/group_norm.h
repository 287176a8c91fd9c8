#pragma once
// Group normalisation, fused with the ReLU and the residual addition that follow it. Each picture's channels are cut
// into `groups` equal runs; with m = h*w*c/groups values a group:
//   y = act(gamma[c] * x^ + beta[c] + residual),   x^ = (x - mean[n,g]) * inv_std[n,g],   inv_std = 1 / sqrt(var + eps)
// with mean and biased variance of the picture's group; the same in training and evaluation. Source: Wu and He 2018.
//
// x, y, residual, dy, dx, d_residual (n,h,w,c), any pixel stride: float32, the GPU bodies also bf16, one dtype for all
// (worked in float32, rounded once). gamma, beta, dgamma, dbeta (1,1,1,c), mean and inv_std (n,1,1,groups), dense,
// float32. Statistics are accumulated as batch_norm.h's are, to about 1e-7 of the spread. Outputs are assigned; y may
// alias x or residual, d_residual or dx (not both) may alias dy. Deterministic: sums go by chunks of pixels that depend
// on the shape only. Bytes at least, an element: forward 4*(2 reads + 1 write), 4 more for a residual; backward
// 4*(6 + 1), without activation 4*(4 + 1), with d_residual 4*(5 + 2); half of these in bf16.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

struct GroupNormShape {
  std::int64_t groups = 32;  // divides c
  float eps = 1e-5f;
  bool relu = false;

  bool operator==(const GroupNormShape&) const = default;
};

// residual.data may be null.
void group_norm_forward(const Cpu&, const GroupNormShape&, ConstView x, ConstView gamma, ConstView beta,
                        ConstView residual, View mean, View inv_std, View y);
// With g = dy * act'(.):  d_residual = g (null: not wanted),  dgamma[c] = sum g x^,  dbeta[c] = sum g  over n, h, w,
//   dx = inv_std * (gamma g - A / m - x^ B / m),   A = sum over the picture's group of gamma g,  B = of gamma g x^
// y is the forward's output, whose sign says where the ReLU cut; not read without one and may be null then.
void group_norm_backward(const Cpu&, const GroupNormShape&, ConstView x, ConstView y, ConstView dy, ConstView gamma,
                         ConstView mean, ConstView inv_std, View dx, View dgamma, View dbeta, View d_residual);

// The bodies of kernels/cuda/group_norm.cu, compiled by the host compiler and by nvcc.
void group_norm_forward(const Simt&, const GroupNormShape&, ConstView x, ConstView gamma, ConstView beta,
                        ConstView residual, View mean, View inv_std, View y);
void group_norm_backward(const Simt&, const GroupNormShape&, ConstView x, ConstView y, ConstView dy, ConstView gamma,
                         ConstView mean, ConstView inv_std, View dx, View dgamma, View dbeta, View d_residual);
void group_norm_forward(const Cuda&, const GroupNormShape&, ConstView x, ConstView gamma, ConstView beta,
                        ConstView residual, View mean, View inv_std, View y);
void group_norm_backward(const Cuda&, const GroupNormShape&, ConstView x, ConstView y, ConstView dy, ConstView gamma,
                         ConstView mean, ConstView inv_std, View dx, View dgamma, View dbeta, View d_residual);

}  // namespace gf
