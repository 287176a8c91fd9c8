#include "engine/capture.h"

#include "engine/op_scope.h"
#include "kernels/error.h"

namespace gf {
namespace {

thread_local bool writing_down = false;

}  // namespace

bool capturing() { return writing_down; }
CaptureScope::CaptureScope() { writing_down = true; }
CaptureScope::~CaptureScope() { writing_down = false; }

void refuse_while_capturing(const char* what) {
  if (!writing_down) return;
  const std::string op = current_op();
  fail("a step with this cannot be captured", op.empty() ? "outside of any op" : "op " + op,
       "work for the device alone", std::string("it ") + what, "run it with train.step_graph = \"off\"");
}

}  // namespace gf
