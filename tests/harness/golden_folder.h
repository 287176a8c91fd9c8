#pragma once
// Where the golden files are (tests/golden): in share/golden of the unpacked bundle of tests/gpu/make_bundle.sh, whose
// programs lie in bin/, else in the checkout the test was built from.
#include <filesystem>
#include <string>

namespace gf::test {

inline std::string golden_folder() {
  static const std::string folder = [] {
    std::error_code none;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", none);
    const auto bundled = program.parent_path().parent_path() / "share/golden";
    return std::filesystem::is_directory(bundled, none) ? bundled.string() + "/"
                                                        : std::string(GF_SOURCE_DIR) + "/tests/golden/";
  }();
  return folder;
}

}  // namespace gf::test
