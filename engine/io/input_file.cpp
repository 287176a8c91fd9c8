#include "engine/io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernels/error.h"

namespace gf {

InputFile::InputFile(std::string path) : path_(std::move(path)) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0)
    fail("cannot open file", path_, {}, std::strerror(errno), errno == ENOENT ? "check the path" : "");
  struct stat about {};
  const bool known = ::fstat(descriptor_, &about) == 0;
  if (!known || !S_ISREG(about.st_mode)) {
    ::close(descriptor_);
    fail("cannot open file", path_, "a file", known && S_ISDIR(about.st_mode) ? "a folder" : "something else");
  }
  size_ = static_cast<std::uint64_t>(about.st_size);
}

InputFile::~InputFile() { ::close(descriptor_); }

void InputFile::read_at(std::uint64_t offset, void* out, std::size_t bytes) const {
  char* next = static_cast<char*>(out);
  while (bytes > 0) {
    const ssize_t n = ::pread(descriptor_, next, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read file", path_, {}, std::strerror(errno));
    if (n == 0)
      bad_data("file became shorter while it was read", path_, std::to_string(size_) + " bytes",
               std::to_string(offset));
    next += n;
    offset += static_cast<std::uint64_t>(n);
    bytes -= static_cast<std::size_t>(n);
  }
}

}  // namespace gf
