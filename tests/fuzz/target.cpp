#include "tests/fuzz/target.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

namespace gf::fuzz {

InputAsFile::InputAsFile(const std::uint8_t* data, std::size_t size, const std::string& ending)
    : path_("/dev/shm/graphflow_fuzz_" + std::to_string(::getpid()) + ending) {
  const int file = ::open(path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (file < 0 || ::write(file, data, size) != static_cast<ssize_t>(size)) std::abort();
  ::close(file);
}

InputAsFile::~InputAsFile() { ::unlink(path_.c_str()); }

}  // namespace gf::fuzz
