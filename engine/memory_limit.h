#pragma once
// While alive, the tensors this thread makes may take `bytes` in all, given back or not; one more throws
// MemoryLimit::Exceeded before it takes any. A file that describes a network is held to what the file itself holds.
#include <cstddef>
#include <exception>
#include <utility>

namespace gf {

class MemoryLimit {
 public:
  struct Exceeded : std::exception {
    const char* what() const noexcept override { return "more memory than the limit allows"; }
  };

  explicit MemoryLimit(std::size_t bytes) : left_(bytes), outer_(std::exchange(current_, this)) {}
  ~MemoryLimit() { current_ = outer_; }
  MemoryLimit(const MemoryLimit&) = delete;
  MemoryLimit& operator=(const MemoryLimit&) = delete;

  // For the allocator.
  static void take(std::size_t bytes) {
    if (!current_) return;
    if (bytes > current_->left_) throw Exceeded();
    current_->left_ -= bytes;
  }

 private:
  std::size_t left_;
  MemoryLimit* outer_;
  inline static thread_local MemoryLimit* current_ = nullptr;
};

}  // namespace gf
