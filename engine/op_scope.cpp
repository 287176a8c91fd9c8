#include "engine/op_scope.h"

#ifdef GF_WITH_CUDA
#include <nvtx3/nvToolsExt.h>
#endif

namespace gf {
namespace {

thread_local OpScope* innermost = nullptr;

}  // namespace

OpScope::OpScope(const char* name, Direction direction) : name_(name), direction_(direction), outer_(innermost) {
  innermost = this;
#ifdef GF_WITH_CUDA
  nvtxRangePushA(direction == Direction::forward ? name : (std::string("backward of ") + name).c_str());
#endif
}

OpScope::~OpScope() {
#ifdef GF_WITH_CUDA
  nvtxRangePop();
#endif
  innermost = outer_;
}

std::string current_op() {
  std::string text;
  for (const OpScope* s = innermost; s; s = s->outer_) {
    const bool backward = s->direction_ == OpScope::Direction::backward;
    if (text.empty()) {
      text = (backward ? "the backward of " : "") + std::string(s->name_);
    } else if (backward) {
      return text + " in the backward of " + s->name_;
    }
  }
  return text;
}

}  // namespace gf
