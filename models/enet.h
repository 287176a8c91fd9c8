#pragma once
// ENet, a compact student (method 5.3): bottlenecks of a quarter of the channels, pooling whose indices the decoder
// unpools with, dilated and asymmetric convolutions. No convolution has a bias. The encoder's activations are PReLU
// with one slope each, the decoder's ReLU. Stride 8. Taps: initial, stage1..stage5; the paper distils stage1 and stage4
// (64 channels, 1/4 resolution). More layers add initial and stage5 (16 channels, 1/2), then stage2 and stage3, the two
// halves of the middle (128 channels, 1/8): our choice.
//
//   initial  3x3 s2, cat max pool 3 s2 of the picture                16   H/2
//   stage1   down, 4 plain blocks; dropout 0.01                      64   H/4
//   stage2   down, 8 blocks (plain, dilated, asymmetric); from here  128  H/8
//   stage3   8 blocks of the same kinds          on dropout 0.1      128  H/8
//   stage4   up with the indices of stage2's down, 2 plain blocks    64   H/4
//   stage5   up with the indices of stage1's down, 1 plain block     16   H/2
//   head     transposed 3x3 s2 -> classes                                 H
// PyTorch's default initialisation. With a narrow width or many input channels a level is at least as wide as the one
// before it and the first wider than the picture, or there would be nothing to append.
#include "engine/nn/conv_norm.h"
#include "engine/nn/prelu.h"
#include "engine/ops/pooling.h"
#include "models/network.h"

namespace gf {

namespace enet {

// What is behind a sum: PReLU in the encoder, ReLU in the decoder.
struct Activation : Module {
  std::unique_ptr<Prelu> prelu;  // null: ReLU

  Activation(const Owner& owner, NormActivation act);
  Tensor operator()(const Tensor& x) const;
};

// The middle of a bottleneck: 3x3, with dilation or not, or 5x1 and 1x5.
struct Middle {
  bool asymmetric = false;
  int dilation = 1;
};

// act(x + dropout(1x1 c -> c/4, the middle, 1x1 -> c)), every convolution with batch norm and activation.
struct Regular : Module {
  ConvNorm reduce;
  std::unique_ptr<ConvNorm> column;  // the 5x1 of an asymmetric one, otherwise null
  ConvNorm middle, expand;
  Activation out;
  float dropout;

  Regular(const Owner& owner, std::int64_t channels, NormActivation act, float dropout, const Middle& kind);
  Tensor operator()(const Tensor& x, Random& random) const;
};

// Regular bottlenecks block1, block2, ... one after the other.
struct Stage : Module {
  std::vector<std::unique_ptr<Regular>> blocks;

  Stage(const Owner& owner, std::int64_t channels, NormActivation act, float dropout, const std::vector<Middle>& kinds);
  Tensor operator()(const Tensor& x, Random& random) const;
};

// act(max pool of x, zeros appended to its channels, + dropout(2x2 s2 in -> in/4, 3x3, 1x1 -> out)).
struct Down : Module {
  ConvNorm reduce, middle, expand;
  Activation out;
  float dropout;

  Down(const Owner& owner, std::int64_t in, std::int64_t out, float dropout);
  struct Result {
    Tensor map, index;  // index: of the pooling, for the way back
    Shape pooled;       // what was pooled
  };
  Result operator()(const Tensor& x, Random& random) const;
};

// ReLU(unpooled 1x1 of x + dropout(1x1 in -> in/4, transposed 2x2 s2, 1x1 -> out)).
struct Up : Module {
  ConvNorm main, reduce;
  ConvTranspose2d up;
  BatchNorm2d bn_up;
  ConvNorm expand;
  float dropout;

  Up(const Owner& owner, std::int64_t in, std::int64_t out, float dropout);
  Tensor operator()(const Tensor& x, const Down::Result& down, Random& random) const;
};

}  // namespace enet

class ENet : public Network {
 public:
  explicit ENet(const NetworkOptions& o);
  NetworkOutput forward(const Tensor& x, Random& random) const override;
  std::int64_t stride() const override { return 8; }
  std::vector<TapPair> tap_pairs() const override {
    return {{"stage1", "stage4"}, {"initial", "stage5"}, {"stage2", "stage3"}};
  }
  std::int64_t tap_channels() const override { return c1_; }

 private:
  std::int64_t c0_, c1_, c2_;
  float early_dropout_, dropout_;
  Conv2d initial_;
  BatchNorm2d bn_initial_;
  enet::Down down1_;
  enet::Stage stage1_;
  enet::Down down2_;
  enet::Stage stage2_, stage3_;
  enet::Up up4_;
  enet::Stage stage4_;
  enet::Up up5_;
  enet::Stage stage5_;
  ConvTranspose2d head_;
};

}  // namespace gf
