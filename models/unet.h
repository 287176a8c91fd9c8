#pragma once
// The classic U-Net (Ronneberger et al., 2015) as it is usually rebuilt: padded convolutions, batch norm, transposed
// convolutions to enlarge (learned, and the same op as in the other decoders here; bilinear is the other habit).
// Stride 16. Taps: encoder1..encoder5, decoder4..decoder1, where level i is 1 / 2^(i-1) of the picture; distilled:
// encoder3 and decoder3 (256 channels, 1/4 resolution), mirror positions as in the paper's networks; more layers add
// those of level 2, then those of level 4 (1/8, as in the compact students). Our choice, all three.
//
//   encoder1  2 x (3x3, BN, ReLU)                 64    H
//   encoder2 .. encoder5  max pool, the same      128, 256, 512, 1024    H/2 .. H/16
//   decoder4 .. decoder1  up (transposed 2x2 s2), cat(encoder, up), 2 x (3x3, BN, ReLU)   512, 256, 128, 64
//   classifier  1x1 -> classes                          H
// PyTorch's default initialisation, no dropout.
#include "engine/nn/conv_norm.h"
#include "models/network.h"

namespace gf {

class UNet : public Network {
 public:
  explicit UNet(const NetworkOptions& o);
  NetworkOutput forward(const Tensor& x, Random& random) const override;
  std::int64_t stride() const override { return 16; }
  std::vector<TapPair> tap_pairs() const override {
    return {{"encoder3", "decoder3"}, {"encoder2", "decoder2"}, {"encoder4", "decoder4"}};
  }
  std::int64_t tap_channels() const override { return tap_channels_; }

 private:
  // 3x3, BN, ReLU, twice.
  struct Double : Module {
    ConvNorm first, second;

    Double(const Owner& owner, std::int64_t in, std::int64_t out);
    Tensor operator()(const Tensor& x) const { return second(first(x)); }
  };
  struct Level {
    std::unique_ptr<ConvTranspose2d> up;
    std::unique_ptr<Double> decoder;
  };

  std::int64_t tap_channels_;
  std::vector<std::unique_ptr<Double>> encoders_;  // encoder1 .. encoder5
  std::vector<Level> decoders_;                    // level 4 .. level 1
  std::unique_ptr<Conv2d> classifier_;
};

}  // namespace gf
