#pragma once
#include <string>

namespace gf {

// Throws, as the writing itself would, where this file could not be made: before the work whose result it is to hold.
// Its folder must be there. Nothing stays behind.
void require_writable(const std::string& file);

}  // namespace gf
