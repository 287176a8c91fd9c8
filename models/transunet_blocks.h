#pragma once
// The blocks of TransUNet (method 5.5). Parameter names follow the members.
#include "engine/nn/conv_norm.h"
#include "engine/nn/group_norm.h"
#include "engine/nn/layer_norm.h"
#include "engine/nn/multi_head_attention.h"
#include "engine/nn/standardised_conv.h"

namespace gf::transunet {

// 32, or where 32 does not divide the channels the largest power of two that does.
std::int64_t group_count(std::int64_t channels);

// 1x1 in -> out/4, 3x3 (with the stride), 1x1 -> out, each with group norm, the first two with ReLU; plus the shortcut,
// ReLU. Where size or channels change the shortcut is a 1x1 convolution and a group norm of one channel a group.
struct Bottleneck : Module {
  StandardisedConv2d conv1;
  GroupNorm gn1;
  StandardisedConv2d conv2;
  GroupNorm gn2;
  StandardisedConv2d conv3;
  GroupNorm gn3;
  std::unique_ptr<StandardisedConv2d> shortcut;  // null: identity
  std::unique_ptr<GroupNorm> gn_shortcut;

  Bottleneck(const Owner& owner, std::int64_t in, std::int64_t out, int stride);
  Tensor operator()(const Tensor& x) const;
};

// Bottlenecks unit1, unit2, ...; the first takes the stride.
struct ResidualStage : Module {
  std::vector<std::unique_ptr<Bottleneck>> units;

  ResidualStage(const Owner& owner, std::int64_t in, std::int64_t out, int count, int stride);
  Tensor operator()(const Tensor& x) const;
};

// x + attention(norm x), then x + MLP(norm x): a linear layer to four times the channels, GELU, one back; dropout
// behind both.
struct TransformerBlock : Module {
  LayerNorm attention_norm;
  MultiHeadAttention attention;
  LayerNorm mlp_norm;
  Conv2d mlp1, mlp2;
  float dropout_rate;

  TransformerBlock(const Owner& owner, std::int64_t channels, std::int64_t heads, float dropout);
  Tensor operator()(const Tensor& x, Random& random) const;
};

// Twice as large, corners aligned; cat the skip (which may be empty); 2 x (3x3, BN, ReLU).
struct Up : Module {
  ConvNorm first, second;

  Up(const Owner& owner, std::int64_t in, std::int64_t skip, std::int64_t out);
  Tensor operator()(const Tensor& x, const Tensor& skip = {}) const;
};

constexpr float kLayerNormEps = 1e-6f;

}  // namespace gf::transunet
