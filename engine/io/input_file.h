#pragma once
// A regular file open for reading at any offset. The handle stays on the file it opened, also when another is renamed
// over its path meanwhile.
#include <cstddef>
#include <cstdint>
#include <string>

namespace gf {

class InputFile {
 public:
  explicit InputFile(std::string path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  // Exactly `bytes` from `offset`, or an error.
  void read_at(std::uint64_t offset, void* out, std::size_t bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace gf
