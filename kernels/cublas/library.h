#pragma once
// Is cuBLASLt there, and which? The library is opened at the first question and stays open; it is never linked.
#include <string>

#include "kernels/shared_library.h"

namespace gf::cublas {

// Throws where the library is missing, saying where it was looked for, or where it is of another major version than the
// headers this program was built with.
const LibraryInfo& library();

// False where library() would throw; `reason` then gets the message.
bool available(std::string* reason = nullptr);

}  // namespace gf::cublas
