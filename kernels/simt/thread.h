#pragma once
// Which simulated thread runs at the moment, and how its mistakes are reported.
#include <cstdint>
#include <source_location>
#include <string>

namespace gf::simt {

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

// CUDA's names. The executor sets them before a thread runs.
inline constinit thread_local Dim3 threadIdx{0, 0, 0}, blockIdx{0, 0, 0}, blockDim{}, gridDim{};

// "salience.cu:42"
std::string place(const std::source_location& at);
std::string coordinates(const Dim3& d);  // "(5,0,0)"

// Throws gf::Error: "SIMT: <what>: salience.cu:42, thread (5,0,0) of block (0,1,0): expected ..., found ...; <remedy>".
[[noreturn]] void kernel_error(const std::string& what, const std::source_location& at, const std::string& expected,
                               const std::string& found = {}, const std::string& remedy = {});

}  // namespace gf::simt
