#include "apps/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "kernels/error.h"

namespace gf {

std::optional<FileLock> FileLock::take(const std::string& file) {
  std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  for (;;) {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor < 0) fail("cannot lock", file, {}, std::strerror(errno), "choose a folder you may write to");
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      ::close(descriptor);
      if (error == EWOULDBLOCK) return {};
      fail("cannot lock", file, {}, std::strerror(error), "choose a folder on a file system with locks");
    }
    // Its last owner may have removed the file between open and flock: then this is the lock of nothing.
    struct stat opened {
    }, named{};
    if (::fstat(descriptor, &opened) == 0 && ::stat(file.c_str(), &named) == 0 && opened.st_ino == named.st_ino)
      return FileLock(file, descriptor);
    ::close(descriptor);
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : file_(std::move(other.file_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock::~FileLock() {
  if (descriptor_ < 0) return;
  ::unlink(file_.c_str());
  ::close(descriptor_);
}

}  // namespace gf
