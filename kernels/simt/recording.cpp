#include "kernels/simt/recording.h"

#include "kernels/error.h"

namespace gf::simt {
namespace {

thread_local Recording* open_recording = nullptr;

}  // namespace

Recording* Recording::open() { return open_recording; }

void Recording::begin() {
  if (open_recording) fail("recordings do not nest", "simt", "one open recording a thread", "two");
  work_.clear();
  open_recording = this;
}

void Recording::end() {
  if (open_recording == this) open_recording = nullptr;
}

Recording::~Recording() { end(); }

void Recording::replay() const {
  if (open_recording) fail("a recording is replayed while one is open", "simt");
  for (const auto& work : work_) work();
}

}  // namespace gf::simt
