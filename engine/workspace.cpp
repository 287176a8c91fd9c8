#include "engine/workspace.h"

#include <string>

#include "engine/capture.h"
#include "kernels/error.h"

namespace gf {

void* Workspace::at_least(std::size_t bytes) {
  if (bytes <= capacity_) return memory_;
  refuse_while_capturing("needs more scratch memory than the warm-up did");
  if (memory_ && holders_ > 0) {
    outgrown_.push_back(memory_);
  } else if (memory_) {
    source_.give(memory_);
  }
  constexpr std::size_t kPage = 4096;
  const std::size_t wanted = (bytes + bytes / 2 + kPage - 1) / kPage * kPage;
  memory_ = nullptr;
  memory_ = source_.take(wanted);
  capacity_ = wanted;
  if (!memory_) {  // without room to grow, then
    capacity_ = (bytes + kPage - 1) / kPage * kPage;
    memory_ = source_.take(capacity_);
  }
  if (!memory_) {
    capacity_ = 0;
    throw Error(ErrorKind::out_of_memory,
                {"out of memory", "kernel workspace of " + std::to_string(bytes >> 20) + " MiB", "", "",
                 "lower train.batch_size or the picture size"});
  }
  return memory_;
}

void Workspace::release() {
  if (--holders_ > 0) return;
  for (void* p : outgrown_) source_.give(p);
  outgrown_.clear();
}

Workspace::~Workspace() {
  if (memory_) source_.give(memory_);
  for (void* p : outgrown_) source_.give(p);
}

}  // namespace gf
