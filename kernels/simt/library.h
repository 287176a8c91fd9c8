#pragma once
// What a library computes on a GPU (convolutions, matrix products) is computed by the CPU's library under the executor,
// which knows float32 alone. So bf16 goes there as a GPU's library works: widened, summed in float32, rounded once.
//
// The CPU's bodies ask for the workspace themselves, and a kernel asks but once, so the wide copies lie in memory of
// their own; this is the executor, not a device that must not allocate.
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/simt/recording.h"

namespace gf::simt {

// Runs body(const Cpu&), on the same memory; it holds its arguments by value.
template <class Body>
void run_on_library(const Simt& device, Body body) {
  run_or_record([cpu = Cpu{device.workspace}, body = std::move(body)] { body(cpu); });
}

// A view in float32: itself where it is that already (or null), else a dense copy.
class WideInput {
 public:
  explicit WideInput(const ConstView& v) : view_(v) {
    if (v.dtype != DType::bf16 || v.data == nullptr) return;
    copy_.resize(static_cast<std::size_t>(v.count()));
    const View wide(copy_.data(), DType::f32, v.shape());
    copy(Cpu{}, v, wide);
    view_ = wide;
  }
  operator ConstView() const { return view_; }

 private:
  std::vector<float> copy_;
  ConstView view_;
};

// The same for a result, which is rounded into its place when the call is done.
class WideOutput {
 public:
  explicit WideOutput(const View& v) : to_(v), view_(v) {
    if (v.dtype != DType::bf16 || v.data == nullptr) return;
    copy_.resize(static_cast<std::size_t>(v.count()));
    view_ = View(copy_.data(), DType::f32, v.shape());
  }
  operator View() const { return view_; }
  void round() const {
    if (view_.data != to_.data) copy(Cpu{}, view_, to_);
  }

 private:
  View to_;
  std::vector<float> copy_;
  View view_;
};

}  // namespace gf::simt
