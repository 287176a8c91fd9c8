#pragma once
// Is cuDNN there, and which? The library is opened at the first question and stays open; it is never linked.
#include <string>

#include "kernels/shared_library.h"

namespace gf::cudnn {

// Where the library was found and its version (91900: 9.19.0). Throws where it is missing, saying where it was looked
// for, or where it is of another major version than the headers this program was built with.
const LibraryInfo& library();

// False where library() would throw; `reason` then gets the message.
bool available(std::string* reason = nullptr);

}  // namespace gf::cudnn
