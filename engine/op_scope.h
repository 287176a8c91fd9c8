#pragma once
// The name of the op that runs on this thread: for messages that must say who asked (a read while a step is captured,
// memory that ran out), and as an NVTX range, so that profilers show ops and not only kernels.
#include <string>

namespace gf {

class OpScope {
 public:
  enum class Direction { forward, backward };
  explicit OpScope(const char* name, Direction direction = Direction::forward);  // a string literal
  ~OpScope();
  OpScope(const OpScope&) = delete;
  OpScope& operator=(const OpScope&) = delete;

 private:
  friend std::string current_op();
  const char* name_;
  Direction direction_;
  OpScope* outer_;
};

// "sum_to in the backward of add"; empty outside of any op.
std::string current_op();

}  // namespace gf
