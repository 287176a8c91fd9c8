#pragma once
// Writes down the convolutions and transposed convolutions run forwards on this thread while it is alive: how the
// shapes that a network needs are found out.
#include <vector>

#include "kernels/convolution.h"

namespace gf {

// For a transposed convolution x is its output and y its input: the shapes of the convolution whose gradient it is.
struct ConvolutionCall {
  bool transposed = false, bias = false;
  Shape x, w, y;
  ConvolutionShape shape;

  bool operator==(const ConvolutionCall&) const = default;
};

class ConvolutionLog {
 public:
  ConvolutionLog() : previous_(current_) { current_ = this; }
  ~ConvolutionLog() { current_ = previous_; }
  ConvolutionLog(const ConvolutionLog&) = delete;
  ConvolutionLog& operator=(const ConvolutionLog&) = delete;

  const std::vector<ConvolutionCall>& calls() const { return calls_; }
  static void add(const ConvolutionCall& call) {
    if (current_) current_->calls_.push_back(call);
  }

 private:
  std::vector<ConvolutionCall> calls_;
  ConvolutionLog* previous_;
  inline static thread_local ConvolutionLog* current_ = nullptr;
};

}  // namespace gf
