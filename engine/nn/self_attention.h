#pragma once
// Self-attention over the pixels of a map (Zhang et al. 2019, as in self-attention GANs; no scaling, one head):
//   q_i, k_i = 1x1 convolutions C -> C/8 of x_i,  v_i = 1x1 convolution C -> C
//   A_ij = softmax over j of q_i . k_j,  y_i = gamma * sum_j A_ij v_j + x_i
// gamma starts at 0, so that a fresh layer passes its input through. A takes (h*w)^2 numbers a picture.
// Twice differentiable.
#include "engine/nn/convolution.h"

namespace gf {

struct SelfAttention : Module {
  Conv2d query, key, value;
  Tensor gamma;  // one number

  SelfAttention(const Owner& owner, std::int64_t channels);
  Tensor operator()(const Tensor& x) const;  // float32

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

}  // namespace gf
