#pragma once
// The blocks of FANet (method 5.1). Parameter names follow the members.
#include "engine/nn/conv_norm.h"

namespace gf {

// Selective kernel: a 5x5 and a 3x3 branch, A and B, mixed per channel by a softmax over the two:
//   s = mean over h, w of (A + B);  z = ReLU(BN(1x1 c -> c/2));  (w5, w3) = softmax(attend5 z, attend3 z);  y = w5 A +
//   w3 B
struct SKConv : Module {
  Conv2d conv5;
  BatchNorm2d bn5;
  Conv2d conv3;
  BatchNorm2d bn3;
  Conv2d squeeze;
  BatchNorm2d bn_squeeze;
  Conv2d attend5, attend3;

  SKConv(const Owner& owner, std::int64_t channels);
  Tensor operator()(const Tensor& x) const;
};

// 1x1, BN, ReLU, SKConv, BN, ReLU, 1x1, BN, plus the shortcut (1x1, BN where it projects), ReLU.
struct SKBlock : Module {
  Conv2d conv_in;
  BatchNorm2d bn_in;
  SKConv sk;
  BatchNorm2d bn_sk;
  Conv2d conv_out;
  BatchNorm2d bn_out;
  std::unique_ptr<Conv2d> shortcut;  // null: identity
  std::unique_ptr<BatchNorm2d> bn_shortcut;

  SKBlock(const Owner& owner, std::int64_t in, std::int64_t out, bool project);
  Tensor operator()(const Tensor& x, const Tensor& into = {}) const;  // `into`: engine/ops/place.h
};

struct DoubleConv : Module {
  SKBlock block1, block2;

  DoubleConv(const Owner& owner, std::int64_t in, std::int64_t out)
      : Module(owner), block1({this, "block1"}, in, out, true), block2({this, "block2"}, out, out, false) {}
  Tensor operator()(const Tensor& x, const Tensor& into = {}) const { return block2(block1(x), into); }
};

// How StripPooling joins its three square maps: `sum` (StripPooling) or `concat` (StripPooling2, where the pooled maps
// have half the channels and the strips gate the input).
enum class StripMerge { sum, concat };

// Context from whole rows and columns and from two square grids of grid1 and grid2 cells a side.
struct StripPooling : Module {
  std::int64_t grid1, grid2;
  StripMerge merge;
  ConvNorm in1, in2, local, pool1, pool2, horizontal, vertical, out1, out2, out;

  StripPooling(const Owner& owner, std::int64_t channels, std::int64_t grid1, std::int64_t grid2, StripMerge merge);
  Tensor operator()(const Tensor& x) const;
};

}  // namespace gf
