#pragma once
// One process at a time works in a folder. The kernel drops the lock with its process, however that ends, so none is
// ever stale.
#include <optional>
#include <string>

namespace gf {

class FileLock {
 public:
  // Nothing where another process (or this one) holds the lock. Makes the folders above the file. The file goes away
  // with the lock.
  static std::optional<FileLock> take(const std::string& file);
  ~FileLock();
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;

 private:
  FileLock(std::string file, int descriptor) : file_(std::move(file)), descriptor_(descriptor) {}
  std::string file_;
  int descriptor_;
};

}  // namespace gf
