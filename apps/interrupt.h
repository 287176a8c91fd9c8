#pragma once
// Ctrl-C and SIGTERM ask a run to stop at the next step and save; a second one ends the program at once.
#include <atomic>

namespace gf {

// Installs the handlers on first use.
const std::atomic<bool>& stop_requested();

}  // namespace gf
