#include "kernels/simt/thread.h"

#include <string_view>

#include "kernels/error.h"

namespace gf::simt {

std::string place(const std::source_location& at) {
  std::string_view file = at.file_name();
  file.remove_prefix(file.rfind('/') + 1);
  return std::string(file) + ":" + std::to_string(at.line());
}

std::string coordinates(const Dim3& d) {
  std::string s = "(";
  s += std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
  return s;
}

void kernel_error(const std::string& what, const std::source_location& at, const std::string& expected,
                  const std::string& found, const std::string& remedy) {
  fail("SIMT: " + what, place(at) + ", thread " + coordinates(threadIdx) + " of block " + coordinates(blockIdx),
       expected, found, remedy);
}

}  // namespace gf::simt
