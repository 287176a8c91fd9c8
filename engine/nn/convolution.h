#pragma once
// Convolution layers with their parameters, which are float32; x is float32 or bf16 and the result of x's dtype.
#include "engine/nn/module.h"
#include "kernels/convolution.h"

namespace gf {

// How the weight is drawn; biases follow PyTorch's default U(-1/sqrt(fan_in), 1/sqrt(fan_in)) unless said otherwise.
enum class WeightInit {
  pytorch,         // U(-1/sqrt(fan_in), 1/sqrt(fan_in)): kaiming_uniform with a = sqrt(5)
  xavier_uniform,  // U(-b, b), b = sqrt(6 / (fan_in + fan_out))
  normal_fan_out,  // N(0, sqrt(2 / (kh*kw*out))), bias 0
  transformer,     // as xavier_uniform, bias N(0, 1e-6)
};

struct Kernel {
  std::int64_t h = 1, w = 1;
  constexpr Kernel(std::int64_t size) : h(size), w(size) {}
  constexpr Kernel(std::int64_t h_, std::int64_t w_) : h(h_), w(w_) {}
};

struct Conv2d : Module {
  Tensor weight, bias;  // bias empty where there is none
  ConvolutionShape shape;
  WeightInit init;

  struct Options {
    int stride = 1, dilation = 1, groups = 1;
    bool bias = true;
    WeightInit init = WeightInit::pytorch;
    FileLayout layout = FileLayout::convolution;
  };
  // "Same" padding: dilation * (k - 1) / 2 on every side. A 1x1 kernel and FileLayout::linear: a linear layer on every
  // pixel's channels, in files like one.
  Conv2d(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k, const Options& options);
  Tensor operator()(const Tensor& x) const;

  // With a batch norm folded in (conv_norm.h); made when it is first needed.
  struct Folded {
    Tensor weight, bias;
  };
  mutable Folded folded;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

struct ConvTranspose2d : Module {
  Tensor weight, bias;
  ConvolutionShape shape;
  int output_pad;
  WeightInit init;

  struct Options {
    int stride = 1, pad = 0, output_pad = 0;  // output_pad: rows and columns more at the bottom and the right
    bool bias = true;
    WeightInit init = WeightInit::pytorch;
  };
  ConvTranspose2d(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k, const Options& options);
  Tensor operator()(const Tensor& x, const Tensor& into = {}) const;  // `into`: ops/place.h

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

}  // namespace gf
