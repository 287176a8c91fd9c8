#pragma once
// Mobile U-Net, the compact student (method 5.2): MobileNetV2's inverted residuals as encoder, transposed convolutions
// and inverted residuals as decoder. Stride 32. Taps: block1, block3, block6, block13, merge1..merge4; the paper
// distils block3 and merge3 (24 channels, 1/4 resolution). More layers add block1 and merge4 (16 channels, 1/2), then
// block6 and merge2 (32 channels, 1/8): our choice. Weights: N(0, sqrt(2 / (k*k*C_out))), biases 0.
#include "engine/nn/conv_norm.h"
#include "models/network.h"

namespace gf {

// [1x1 to 6c, BN, ReLU6 unless expansion is 1], 3x3 depthwise, BN, ReLU6, 1x1, BN; plus x where stride 1 and in == out.
struct InvertedResidual : Module {
  std::unique_ptr<ConvNorm> expand;  // null where expansion is 1
  std::unique_ptr<ConvNorm> depthwise, project;
  bool residual;

  InvertedResidual(const Owner& owner, std::int64_t in, std::int64_t out, int stride, int expansion);
  Tensor operator()(const Tensor& x, const Tensor& into = {}) const;  // `into`: engine/ops/place.h
  Shape output(const Shape& x) const;
};

class MobileUNet : public Network {
 public:
  explicit MobileUNet(const NetworkOptions& o);
  NetworkOutput forward(const Tensor& x, Random& random) const override;
  std::int64_t stride() const override { return 32; }
  std::vector<TapPair> tap_pairs() const override {
    return {{"block3", "merge3"}, {"block1", "merge4"}, {"block6", "merge2"}};
  }
  std::int64_t tap_channels() const override { return tap_channels_; }
  bool table_counts_batch_norm() const override { return false; }

 private:
  std::int64_t tap_channels_;
  ConvNorm stem_;
  std::vector<std::unique_ptr<InvertedResidual>> blocks_;  // block1 .. block17
  std::unique_ptr<ConvNorm> last_;
  struct Up {
    std::unique_ptr<ConvTranspose2d> up;
    std::unique_ptr<InvertedResidual> merge;
    std::size_t skip;  // block number
  };
  std::vector<Up> ups_;  // up1/merge1 .. up4/merge4
  std::unique_ptr<Conv2d> head1_, head2_;
};

}  // namespace gf
