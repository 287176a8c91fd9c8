#pragma once
// Shared by the file tests: a folder that goes away, whole files as strings, and what an error says.
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "kernels/error.h"
#include "tests/harness/golden_folder.h"

namespace gf::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    static std::atomic<int> number{0};
    path_ = std::filesystem::temp_directory_path() /
            ("graphflow-io-" + std::to_string(::getpid()) + "-" + std::to_string(number++));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  // Names in the folder that begin with `prefix`.
  int count(const std::string& prefix) const {
    int n = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      n += entry.path().filename().string().starts_with(prefix);
    return n;
  }

 private:
  std::filesystem::path path_;
};

inline std::string golden(const std::string& name) { return test::golden_folder() + name; }

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.good());
}

// Changes one bit of a file in place (rewriting the whole file makes ext4 flush it, thousands of times in these tests).
inline void flip_bit(const std::string& path, std::size_t byte, int bit) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(static_cast<std::streamoff>(byte));
  const char changed = static_cast<char>(file.get() ^ (1 << bit));
  file.seekp(static_cast<std::streamoff>(byte));
  file.put(changed);
  REQUIRE(file.good());
}

// Calls call(n) with the file cut to n bytes, for every length it can be cut to, or every `stride`-th above
// `all_below`.
template <class Call>
void for_each_cut(const std::string& path, Call call, std::size_t all_below = ~std::size_t{0}, std::size_t stride = 1) {
  std::size_t n = std::filesystem::file_size(path);
  while (n > 0) {
    n -= n > all_below + stride ? stride : 1;
    std::filesystem::resize_file(path, n);
    call(n);
  }
}

// The message of the error that `call` throws; fails the test where it throws none, or one of another kind.
template <class Call>
std::string error_of(ErrorKind kind, Call call) {
  try {
    call();
  } catch (const Error& e) {
    CHECK_MESSAGE(e.kind() == kind, e.what());
    CHECK_MESSAGE(std::string(e.what()).find('\n') == std::string::npos, e.what());
    return e.what();
  }
  FAIL("nothing was thrown");
  return {};
}

inline void check_contains(const std::string& text, const std::string& part) {
  CHECK_MESSAGE(text.find(part) != std::string::npos, "\"" << part << "\" is not in: " << text);
}

}  // namespace gf::test
