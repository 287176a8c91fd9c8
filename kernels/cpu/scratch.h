#pragma once
// One workspace request, split into arrays that start at multiples of 64 bytes.
#include "kernels/context.h"
#include "kernels/error.h"

#include <cstdint>

namespace gf::cpu {

class Scratch {
 public:
  // The bytes `count` elements of T take, padded to the next array's start.
  template <class T>
  static std::size_t bytes(std::int64_t count) {
    return (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
  }

  Scratch(const Cpu& cpu, const char* kernel, std::size_t bytes) {
    if (bytes == 0) return;
    next_ = cpu.workspace == nullptr ? nullptr : static_cast<char*>(cpu.workspace(bytes));
    if (next_ == nullptr)
      fail(std::string(kernel) + ": no workspace", std::to_string(bytes) + " bytes",
           "a context that has memory to lend");
  }

  // The next array; the takes of a call follow the order and sizes of the request.
  template <class T>
  T* take(std::int64_t count) {
    T* array = reinterpret_cast<T*>(next_);
    next_ += bytes<T>(count);
    return array;
  }

 private:
  char* next_ = nullptr;
};

}  // namespace gf::cpu
