#pragma once
// The ways to compute a convolution that convolution_method.h lists, as objects in two steps: built, they know how much
// scratch memory they need; run, they compute. So one kernel call asks for workspace once, whatever it is made of.
#include <cstddef>

#include "kernels/cpu/convolution_method.h"

namespace gf::cpu {

// oneDNN, plain or blocked. Plain wants dense views: others are copied into scratch memory and back.
class DirectConvolution {
 public:
  DirectConvolution(const ConvolutionCall&, onednn::Layout);
  std::size_t bytes() const { return bytes_; }
  void use_weights(void* w) { call_.w.data = w; }
  void run(std::byte* scratch);

 private:
  ConvolutionCall call_;
  onednn::Plan* plan_;
  std::size_t x_bytes_ = 0, y_bytes_ = 0, bytes_ = 0;
};

// With stride 1 the input gradient is itself a convolution, of dy with the weights turned by half a turn and their
// channels swapped; so each of the two kernels can do the other's work.
class MirroredConvolution {
 public:
  explicit MirroredConvolution(const ConvolutionCall&);
  std::size_t bytes() const { return weight_bytes_ + direct_.bytes(); }
  void run(std::byte* scratch);

 private:
  ConvolutionCall call_;
  std::size_t weight_bytes_;
  DirectConvolution direct_;
};

class GemmConvolution {
 public:
  explicit GemmConvolution(const ConvolutionCall&);
  std::size_t bytes() const { return patch_bytes_ + onednn::workspace_bytes(*plan_); }
  void run(std::byte* scratch);

 private:
  ConvolutionCall call_;
  std::size_t patch_bytes_;
  onednn::Plan* plan_;
};

// to = act(from + bias) per pixel; bias may be null; `from` may be where `to` is.
void finish_pixels(const float* from, std::int64_t from_stride, const View& to, const float* bias,
                   ConvolutionActivation act);

// sums[c] = sum of v over pixels.
void sum_pixels(const ConstView& v, float* sums);

}  // namespace gf::cpu
