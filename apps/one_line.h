#pragma once
#include <string>

namespace gf {

// A message as one line: file names may hold line breaks and what terminals obey. Such bytes become \x0a.
std::string one_line(const std::string& text);

}  // namespace gf
