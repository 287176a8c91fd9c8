#pragma once
// Batch normalisation over n, h, w per channel, fused with the activation and the residual addition that follow it:
//   y = act(gamma * (x - mean) * inv_std + beta + residual),   inv_std = 1 / sqrt(var + eps)
// Training: mean and biased variance of the batch; running statistics r = (1 - momentum) * r + momentum * batch value,
// with the unbiased variance (PyTorch's rule). Evaluation: mean = running mean, var = running variance.
//
// x, y, residual, dy, dx, d_residual (n,h,w,c) float32, any pixel stride; on the GPU float32 or bf16, one dtype for
// all, worked in float32 and rounded once. gamma, beta, statistics, dgamma, dbeta (1,1,1,c) float32; prelu's learned
// slope, of any sign, and its gradient (1,1,1,1), one for all channels, or (1,1,1,c), float32. Statistics are
// accumulated (CPU: in double, GPU: as means and squared distances from them) in an order fixed by the shape, to about
// 1e-7 of the channel's spread however large its mean. A single pixel has variance 0. Outputs are assigned; y may alias
// x or residual, dx or d_residual (not both) may alias dy. Bytes at least, an element: training 4*(2 reads + 1 write),
// 4 more for a residual; evaluation 4*(1 + 1); backward 4*(6 reads + 1 write), without activation 4*(4 + 1), with
// d_residual 4*(5 + 2); half of these in bf16. prelu reads the residual where the others read y, or neither.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

enum class NormActivation { none, relu, relu6, leaky_relu, prelu };

struct BatchNormShape {
  float eps = 1e-5f;
  float momentum = 0.1f;
  NormActivation act = NormActivation::none;
  float slope = 0.01f;  // of leaky_relu, not negative: the backward reads the sign from the output

  bool operator==(const BatchNormShape&) const = default;
};

// Whether the backward reads the forward's output.
constexpr bool reads_output(NormActivation act) { return act != NormActivation::none && act != NormActivation::prelu; }

// saved_mean and saved_inv_std are assigned for the backward; running statistics are updated in place.
// residual.data may be null. `slope` is prelu's, null with the others.
void batch_norm_train(const Cpu&, const BatchNormShape&, ConstView x, ConstView gamma, ConstView beta,
                      ConstView residual, View running_mean, View running_var, View saved_mean, View saved_inv_std,
                      View y, ConstView slope = {});
void batch_norm_eval(const Cpu&, const BatchNormShape&, ConstView x, ConstView gamma, ConstView beta,
                     ConstView residual, ConstView running_mean, ConstView running_var, View y, ConstView slope = {});
// What the backward of prelu needs besides. The slope may be negative, so the sign of z, the sum before the activation,
// is not that of y: z is worked again from x, the saved statistics, gamma, beta and the residual the forward had (null
// data where it had none; it must still hold what the forward read). d_slope is assigned sum dy * min(z, 0).
struct PreluBackward {
  ConstView slope, beta, residual;
  View d_slope;
};

// `y` is the forward's output: the activation's mask is read from it (y > 0; for relu6 0 < y < 6), so the sum before
// the activation need not be kept; without an activation, and with prelu, y is not read and y.data may be null.
// d_residual.data may be null; otherwise it is assigned dy * act'(.). With `training` the statistics depend on x;
// without, they are constants (saved_* then hold the running values). In bf16 the mask is that of the rounded y, and
// where d_residual is wanted dx is worked from it as stored, which only a slope rounds.
void batch_norm_backward(const Cpu&, const BatchNormShape&, bool training, ConstView x, ConstView y, ConstView dy,
                         ConstView gamma, ConstView saved_mean, ConstView saved_inv_std, View dx, View dgamma,
                         View dbeta, View d_residual, const PreluBackward& prelu = {});

// The bodies of kernels/cuda/batch_norm.cu and batch_norm_backward.cu, compiled by the host compiler and by nvcc.
void batch_norm_train(const Simt&, const BatchNormShape&, ConstView x, ConstView gamma, ConstView beta,
                      ConstView residual, View running_mean, View running_var, View saved_mean, View saved_inv_std,
                      View y, ConstView slope = {});
void batch_norm_eval(const Simt&, const BatchNormShape&, ConstView x, ConstView gamma, ConstView beta,
                     ConstView residual, ConstView running_mean, ConstView running_var, View y, ConstView slope = {});
void batch_norm_backward(const Simt&, const BatchNormShape&, bool training, ConstView x, ConstView y, ConstView dy,
                         ConstView gamma, ConstView saved_mean, ConstView saved_inv_std, View dx, View dgamma,
                         View dbeta, View d_residual, const PreluBackward& prelu = {});
void batch_norm_train(const Cuda&, const BatchNormShape&, ConstView x, ConstView gamma, ConstView beta,
                      ConstView residual, View running_mean, View running_var, View saved_mean, View saved_inv_std,
                      View y, ConstView slope = {});
void batch_norm_eval(const Cuda&, const BatchNormShape&, ConstView x, ConstView gamma, ConstView beta,
                     ConstView residual, ConstView running_mean, ConstView running_var, View y, ConstView slope = {});
void batch_norm_backward(const Cuda&, const BatchNormShape&, bool training, ConstView x, ConstView y, ConstView dy,
                         ConstView gamma, ConstView saved_mean, ConstView saved_inv_std, View dx, View dgamma,
                         View dbeta, View d_residual, const PreluBackward& prelu = {});

}  // namespace gf
