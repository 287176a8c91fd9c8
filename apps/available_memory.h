#pragma once
#include <cstddef>

namespace gf {

// Bytes that this process may still take before the system refuses them or ends it: what the machine has left without
// swapping, within the limits of the control group (containers) and of the address space (ulimit -v). The greatest
// number there is where the system does not say.
std::size_t available_memory();

}  // namespace gf
