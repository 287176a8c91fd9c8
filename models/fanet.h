#pragma once
// FANet, the teacher (method 5.1): a U-Net of selective-kernel residual blocks with strip pooling in the decoder.
// Stride 8. Taps: encoder1..encoder4, up7, up8, up9; the paper distils encoder3 and up7 (256 channels, 1/4 resolution).
// Its other levels are the pairs that more layers add: encoder2 and up8, encoder1 and up9 (our choice).
//
//   encoder1  in -> 64   H      up7  512 -> 256, cat encoder3, decoder7, strip7   H/4
//   encoder2  -> 128     H/2    up8  256 -> 128, cat encoder2, decoder8, strip8   H/2
//   encoder3  -> 256     H/4    up9  128 -> 64,  cat encoder1, decoder9           H
//   encoder4  -> 512     H/8    strip9, dropout, 1x1 -> classes                   H
// Convolution weights: Xavier uniform; biases and transposed convolutions: PyTorch's default.
#include "models/fanet_blocks.h"
#include "models/network.h"

namespace gf {

class FANet : public Network {
 public:
  explicit FANet(const NetworkOptions& o);
  NetworkOutput forward(const Tensor& x, Random& random) const override;
  std::int64_t stride() const override { return 8; }
  std::vector<TapPair> tap_pairs() const override {
    return {{"encoder3", "up7"}, {"encoder2", "up8"}, {"encoder1", "up9"}};
  }
  std::int64_t tap_channels() const override { return c3_; }
  // An auxiliary 1x1 head (64 * classes + classes) and three strip-pooling scalars.
  std::int64_t unused_released_parameters() const override { return c1_ * classes_ + classes_ + 3; }
  std::int64_t released_extra_work(std::int64_t height, std::int64_t width) const override;
  bool table_counts_batch_norm() const override { return false; }

 private:
  std::int64_t classes_, c1_, c2_, c3_, c4_;
  float dropout_;
  DoubleConv encoder1_, encoder2_, encoder3_, encoder4_;
  ConvTranspose2d up7_;
  DoubleConv decoder7_;
  StripPooling strip7_;
  ConvTranspose2d up8_;
  DoubleConv decoder8_;
  StripPooling strip8_;
  ConvTranspose2d up9_;
  DoubleConv decoder9_;
  StripPooling strip9_;
  Conv2d classifier_;
};

}  // namespace gf
