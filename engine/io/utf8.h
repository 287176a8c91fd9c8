#pragma once
#include <string>
#include <string_view>

namespace gf {

// The text with U+FFFD in place of every byte that is not part of a character: names of files need not be UTF-8.
std::string to_valid_utf8(std::string_view text);

}  // namespace gf
