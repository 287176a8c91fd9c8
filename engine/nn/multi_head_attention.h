#pragma once
// Multi-head self-attention over the pixels of a map as tokens (Vaswani et al. 2017). The channels are cut into heads
// of d = c / heads; in each of them
//   A_ij = softmax over j of q_i . k_j / sqrt(d),  z_i = sum_j A_ij v_j
// and y = out(all heads' z). query, key, value and out are linear layers with bias. A takes heads * (h*w)^2 numbers a
// picture.
#include "engine/nn/convolution.h"

namespace gf {

struct MultiHeadAttention : Module {
  Conv2d query, key, value, out;
  std::int64_t heads;

  MultiHeadAttention(const Owner& owner, std::int64_t channels, std::int64_t heads);
  Tensor operator()(const Tensor& x) const;  // (n,h,w,c), c a multiple of heads
};

}  // namespace gf
