#pragma once
// Counts the multiply-accumulates of the convolutions, transposed convolutions and matrix products run on this thread
// while it is alive: what "MACs" means in the tables (no biases, no normalisations, every product once).
#include <cstdint>

namespace gf {

class MacCounter {
 public:
  MacCounter() : previous_(current_) { current_ = this; }
  ~MacCounter() { current_ = previous_; }
  MacCounter(const MacCounter&) = delete;
  MacCounter& operator=(const MacCounter&) = delete;

  std::int64_t count() const { return count_; }
  static void add(std::int64_t macs) {
    if (current_) current_->count_ += macs;
  }

 private:
  std::int64_t count_ = 0;
  MacCounter* previous_;
  inline static thread_local MacCounter* current_ = nullptr;
};

}  // namespace gf
