#pragma once
// Where random numbers come from: a seed and a running stream number, both stored in checkpoints. Each draw takes the
// next stream of Philox (kernels/philox.h), so a resumed run draws what the unbroken run would have drawn.
#include <cstdint>
#include <string_view>

#include "kernels/view.h"

namespace gf {

class Random {
 public:
  explicit Random(std::uint64_t seed = 0, std::uint64_t next_stream = 0) : seed_(seed), next_(next_stream) {}
  std::uint64_t seed() const { return seed_; }
  std::uint64_t position() const { return next_; }
  void seek(std::uint64_t position) { next_ = position; }
  std::uint64_t next_stream() { return next_++; }

  // An i32 scalar on the device that kernels add to their stream, or no data: a step that is written down once
  // (step_graph.h) and replayed draws other numbers when it is counted up.
  void set_device_offset(const ConstView& offset) { offset_ = offset; }
  const ConstView& device_offset() const { return offset_; }

 private:
  std::uint64_t seed_, next_;
  ConstView offset_;
};

// A stream number from a name (FNV-1a), far from the running ones: parameters are initialised by name, so adding a
// layer does not change the others.
constexpr std::uint64_t named_stream(std::string_view name) {
  std::uint64_t h = 1469598103934665603ull;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h | (1ull << 63);
}

}  // namespace gf
