#pragma once
// Kernels with a mistake planted in them: the executor must report it, with file and line.
#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <string>

#include "kernels/launch.h"

namespace gf::harness {

// A planted bug says which line it is on.
inline std::atomic<int> wrong_line = 0;
#define NEXT_LINE_IS_WRONG() ::gf::harness::wrong_line = __LINE__ + 1

inline Simt simt(unsigned seed = 0) { return Simt{nullptr, seed}; }

template <class Run>
void for_each_order(const Run& run) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    CAPTURE(seed);
    run(simt(seed));
  }
}

// Checks that a kernel fails, with these words and the line it remembered.
template <class Run>
void check_reported(const char* words, const Run& run, const char* file = __builtin_FILE()) {
  for_each_order([&](const Simt& gpu) {
    wrong_line = 0;
    std::string message = "nothing was reported";
    try {
      run(gpu);
    } catch (const Error& e) {
      message = e.what();
    }
    const std::string line = std::filesystem::path(file).filename().string() + ":" + std::to_string(wrong_line);
    CHECK_MESSAGE(message.find(words) != std::string::npos, message);
    CHECK_MESSAGE(message.find(line) != std::string::npos, message, " (no ", line, ")");
  });
}

}  // namespace gf::harness
