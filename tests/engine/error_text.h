#pragma once
#include <string>

#include "kernels/error.h"

namespace gf::test {

// What a call throws, in one line.
template <class Call>
std::string error_text(const Call& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace gf::test
