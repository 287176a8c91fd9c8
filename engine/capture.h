#pragma once
// Whether this thread is writing down a step instead of running it (step_graph.h), and what must not be done then.
#include <string>

namespace gf {

bool capturing();

// Throws, naming the op that is running, where a step is being captured. `what` is what it wants to do: "reads a
// tensor on the host".
void refuse_while_capturing(const char* what);

class CaptureScope {
 public:
  CaptureScope();
  ~CaptureScope();
  CaptureScope(const CaptureScope&) = delete;
  CaptureScope& operator=(const CaptureScope&) = delete;
};

}  // namespace gf
