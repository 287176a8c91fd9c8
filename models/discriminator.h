#pragma once
// The discriminator of adversarial distillation: tells a teacher's logits from a student's (method 3; after
// self-attention GANs). From a map of `channels` channels to a map of scores, one for each 4x4 window of the last map:
//
//   pre     Tanh (or another Preprocess)                          256x256
//   layer1  conv 4x4 stride 2, channels -> 64    LeakyReLU 0.1    128x128
//   layer2  conv 4x4 stride 2,  64 -> 128        LeakyReLU 0.1     64x64
//   layer3  conv 4x4 stride 2, 128 -> 256        LeakyReLU 0.1     32x32
//   attention1 (256)
//   layer4  conv 4x4 stride 2, 256 -> 512        LeakyReLU 0.1     16x16
//   attention2 (512)
//   last    conv 4x4, no padding, 512 -> 1                         13x13
//
// The layers are spectrally normalised (nn/spectral_conv.h), all but the last: every call changes their state.
// PyTorch's default initialisation. 3,174,275 parameters for 2 channels, 3,181,443 for 9. Float32; twice
// differentiable.
#include <string>

#include "engine/nn/self_attention.h"
#include "engine/nn/spectral_conv.h"

namespace gf {

enum class Preprocess {
  none,
  tanh,        // bounds logits to (-1, 1); released
  batch_norm,  // by the statistics of the batch at hand, always; a weight and a bias a channel
  bytes,       // 2 (x / 255 - 0.5), for maps of 0 to 255
};
// "none", "tanh", "batch_norm", "bytes"; throws ErrorKind::usage for any other word.
Preprocess parse_preprocess(const std::string& word);

class Discriminator : public Module {
 public:
  struct Options {
    std::int64_t channels = 2;
    double width = 1;  // multiplies 64 to 512
    Preprocess preprocess = Preprocess::tanh;
  };
  explicit Discriminator(const Options& options, const Owner& owner = {});

  // x (n,h,w,channels), h and w at least kSmallest -> (n, h/16 - 3, w/16 - 3, 1), sizes rounded down. Throws
  // ErrorKind::usage for a smaller picture.
  Tensor operator()(const Tensor& x) const;

  static constexpr std::int64_t kSmallest = 64;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;

 private:
  Tensor preprocessed(const Tensor& x) const;

  Options options_;
  Tensor norm_weight_, norm_bias_;  // of Preprocess::batch_norm
  SpectralConv2d layer1_, layer2_, layer3_, layer4_;
  SelfAttention attention1_, attention2_;
  Conv2d last_;
};

}  // namespace gf
