#pragma once
// What the fuzz targets share. A target takes bytes as a file's content; a gf::Error is the right answer to a broken
// file, anything else that goes wrong (a crash, a sanitizer's finding, memory without bound, another exception) is a
// bug.
#include <cstddef>
#include <cstdint>
#include <string>

#include "kernels/error.h"

namespace gf::fuzz {

// The bytes as a file in memory of its own, gone with the object. `ending` decides what readers take it for.
class InputAsFile {
 public:
  InputAsFile(const std::uint8_t* data, std::size_t size, const std::string& ending);
  ~InputAsFile();
  InputAsFile(const InputAsFile&) = delete;
  InputAsFile& operator=(const InputAsFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <class F>
void refuses_or_reads(const F& f) {
  try {
    f();
  } catch (const Error&) {
  }
}

}  // namespace gf::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
