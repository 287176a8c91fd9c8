#pragma once
// A file that appears whole or not at all. Bytes go to a temporary file in the same directory (a rename is atomic only
// inside one file system); commit() flushes them to the disk and renames the temporary file over `path`. Until then,
// and after an exception, a kill or a full disk, the previous file at `path` is untouched. The temporary file is
// removed by the destructor; after kill -9 it stays behind as `<path>.partial-<process id>-<number>`, until
// remove_stale_partials clears it.
//
// A link at `path` stays, the file it points at is replaced. Errors (kind failure) name the path and what the system
// said: directory missing, no permission, disk full; and what is no file, a device say, is never replaced.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/error.h"

namespace gf {

// The disk, a quota or the largest size of a file is used up: the next file will fare no better.
struct NoSpace : Error {
  using Error::Error;
};

class AtomicFile {
 public:
  explicit AtomicFile(std::string path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Hands everything written so far to the system, so that temporary_path() can be read back and checked.
  void flush();
  // Flush, fsync, rename, fsync of the directory. Call it once, as the last thing.
  void commit();

  const std::string& path() const { return path_; }
  const std::string& temporary_path() const { return temporary_path_; }
  std::uint64_t size() const { return written_ + buffer_.size(); }

 private:
  void write_through(const void* data, std::size_t bytes);
  void discard() noexcept;
  [[noreturn]] void fail_with(const char* what, int error) const;

  std::string path_, temporary_path_;
  int descriptor_ = -1;
  bool committed_ = false;
  std::uint64_t written_ = 0;
  std::vector<char> buffer_;
};

// The whole of `text` as the new content of `path`.
void write_file_atomically(const std::string& path, std::string_view text);

// Removes the temporary files in `folder` whose process is gone. What cannot be removed is left.
void remove_stale_partials(const std::string& folder) noexcept;

}  // namespace gf
