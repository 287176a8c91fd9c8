#pragma once
// TransUNet R50-ViT-B/16, a teacher (method 5.5; Chen et al. 2021): a residual network down to 1/16, a transformer over
// its pixels, a convolutional decoder with skips. Stride 16, and one size of picture only, that of its learned position
// embedding. Taps: root, block1..block3, bridge, up1..up4; distilled: block1 (256 channels, 1/4 resolution) and up1
// (256 channels, 1/8); |L| = 2 adds root and up3, |L| = 3 block2 and bridge, which is our choice as the first pair is.
//
//   root     (one channel: three times) 7x7 s2, GN, ReLU              64    H/2
//   block1   max pool 3 s2 without padding, 3 bottlenecks;            256   H/4 - 1, zeros below and right: H/4
//   block2   4 bottlenecks, the first with stride 2                   512   H/8
//   block3   9 bottlenecks, the first with stride 2                   1024  H/16
//   patches  1x1, plus position, dropout 0.1                          768   H/16
//   layer1 .. layer12  pre-norm transformer blocks of 12 heads, then norm
//   bridge   3x3, BN, ReLU                                            512   H/16
//   up1..3   bilinear x2 (corners aligned), cat block2, block1, root, 2 x (3x3, BN, ReLU)   256, 128, 64   H/8 .. H/2
//   up4      the same without a skip                                  16    H
//   head     3x3 -> classes                                                 H
// Convolutions of the encoder have standardised weights and group norms of 32 groups, where fewer divide the channels
// the largest power of two that does. Width: multiplies the 64 of the root, of which every other convolution has a
// multiple, and the 64 channels of each of the 12 heads; 768 is 12 heads, 3072 four times that.
// Initialisation as published: PyTorch's default; the transformer's MLP Xavier uniform with biases N(0, 1e-6); position
// zero. Published training starts from ImageNet weights (transunet_names.h).
#include "models/network.h"
#include "models/transunet_blocks.h"

namespace gf {

class TransUNet : public Network {
 public:
  static constexpr ImageSize kPublishedSize{224, 224};

  explicit TransUNet(const NetworkOptions& o);
  NetworkOutput forward(const Tensor& x, Random& random) const override;
  std::int64_t stride() const override { return kStride; }
  ImageSize image_size() const override { return size_; }
  std::vector<TapPair> tap_pairs() const override { return {{"block1", "up1"}, {"root", "up3"}, {"block2", "bridge"}}; }
  std::int64_t tap_channels() const override { return 4 * root_channels_; }
  std::vector<ForeignNames> foreign_names() const override;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;

 private:
  static constexpr std::int64_t kStride = 16, kHeads = 12, kLayers = 12;

  ImageSize size_;
  std::int64_t root_channels_, tokens_channels_;
  float dropout_;
  StandardisedConv2d root_;
  GroupNorm gn_root_;
  transunet::ResidualStage block1_, block2_, block3_;
  Conv2d patches_;
  Tensor position_;  // (1,h,w,c)
  std::vector<std::unique_ptr<transunet::TransformerBlock>> layers_;
  LayerNorm norm_;
  ConvNorm bridge_;
  transunet::Up up1_, up2_, up3_, up4_;
  Conv2d head_;
};

}  // namespace gf
