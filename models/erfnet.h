#pragma once
// ERFNet, a student (method 5.4): residual blocks of one-dimensional convolutions, dilated in the encoder. Biases
// everywhere, batch norm's eps 1e-3, ReLU. Stride 8. Taps: down1, down2, down3, encoder2, encoder3, decoder4, decoder5;
// the paper distils down2 and decoder4 (64 channels, 1/4 resolution). More layers add down1 and decoder5 (16 channels,
// 1/2), then down3 and encoder3, where the deepest level begins and ends (128 channels, 1/8): our choice.
//
//   down1     3x3 s2, cat max pool of the picture       16   H/2
//   down2     the same                                  64   H/4
//   encoder2  5 blocks                                  64   H/4
//   down3                                               128  H/8
//   encoder3  8 blocks, dilations 2 4 8 16 2 4 8 16     128  H/8
//   up4       transposed 3x3 s2; decoder4: 2 blocks     64   H/4
//   up5       transposed 3x3 s2; decoder5: 2 blocks     16   H/2
//   head      transposed 2x2 s2 -> classes                   H
// The encoder's blocks have dropout 0.1, the decoder's none. PyTorch's default initialisation. With a narrow width or
// many input channels a level is wider than the one before it, or there would be nothing to append.
#include "engine/nn/conv_norm.h"
#include "models/network.h"

namespace gf {

namespace erfnet {

// ReLU(BN(cat(3x3 s2 in -> out - in, max pool))).
struct Down : Module {
  Conv2d conv;
  BatchNorm2d bn;

  Down(const Owner& owner, std::int64_t in, std::int64_t out);
  Tensor operator()(const Tensor& x) const;
};

// 3x1, ReLU, 1x3, BN, ReLU; the same dilated up to the BN; dropout; ReLU(x + it).
struct Block : Module {
  Conv2d column1, row1;
  BatchNorm2d bn1;
  Conv2d column2, row2;
  BatchNorm2d bn2;
  float dropout;

  Block(const Owner& owner, std::int64_t channels, float dropout, int dilation);
  Tensor operator()(const Tensor& x, Random& random) const;
};

// block1, block2, ... one after the other.
struct Stage : Module {
  std::vector<std::unique_ptr<Block>> blocks;

  Stage(const Owner& owner, std::int64_t channels, float dropout, const std::vector<int>& dilations);
  Tensor operator()(const Tensor& x, Random& random) const;
};

// ReLU(BN(transposed 3x3 s2)): twice the size.
struct Up : Module {
  ConvTranspose2d conv;
  BatchNorm2d bn;

  Up(const Owner& owner, std::int64_t in, std::int64_t out);
  Tensor operator()(const Tensor& x) const { return bn(conv(x)); }
};

}  // namespace erfnet

class ERFNet : public Network {
 public:
  explicit ERFNet(const NetworkOptions& o);
  NetworkOutput forward(const Tensor& x, Random& random) const override;
  std::int64_t stride() const override { return 8; }
  std::vector<TapPair> tap_pairs() const override {
    return {{"down2", "decoder4"}, {"down1", "decoder5"}, {"down3", "encoder3"}};
  }
  std::int64_t tap_channels() const override { return c1_; }
  // The encoder's own 1x1 head, for training it alone.
  std::int64_t unused_released_parameters() const override { return c2_ * classes_ + classes_; }

 private:
  std::int64_t classes_, c0_, c1_, c2_;
  erfnet::Down down1_, down2_;
  erfnet::Stage encoder2_;
  erfnet::Down down3_;
  erfnet::Stage encoder3_;
  erfnet::Up up4_;
  erfnet::Stage decoder4_;
  erfnet::Up up5_;
  erfnet::Stage decoder5_;
  ConvTranspose2d head_;
};

}  // namespace gf
