#include "engine/op_trace.h"

namespace gf {

OpTrace::OpTrace() : previous_(current_) { current_ = this; }
OpTrace::~OpTrace() { current_ = previous_; }

void OpTrace::add(const char* op, const Tensor& output, const std::vector<Tensor>& inputs) {
  if (!current_) return;
  current_->calls_.push_back({op, inputs, output, std::move(current_->arguments_)});
  current_->arguments_.reset();
}

}  // namespace gf
