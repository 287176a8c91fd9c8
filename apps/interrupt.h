#pragma once
// Ctrl-C and SIGTERM ask a run to stop at the next step and save; a second one ends the program at once.
#include <atomic>

#include "kernels/error.h"

namespace gf {

constexpr int kInterrupted = static_cast<int>(ErrorKind::interrupted);  // the exit code

// Installs the handlers on first use.
const std::atomic<bool>& stop_requested();

}  // namespace gf
