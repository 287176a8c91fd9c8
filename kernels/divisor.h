#pragma once
// Division by a number that stays the same for a whole kernel call: a multiplication and a shift, where the GPU's
// integer division takes some twenty instructions.
#include <cstdint>

#include "kernels/host_device.h"

namespace gf {

// n / value for n < 2^31. The multiplier is 2^(31+shift) / value rounded up, with 2^shift the next power of two; the
// quotient is exact because the rounding, less than 1, weighs at most n / 2^(31+shift) < 1 / value.
struct Divisor {
  std::uint32_t value = 1, multiplier = 1u << 31, shift = 0;

  Divisor() = default;
  explicit Divisor(std::int64_t divisor) : value(static_cast<std::uint32_t>(divisor)) {
    while ((std::uint64_t{1} << shift) < value) ++shift;
    multiplier = static_cast<std::uint32_t>(((std::uint64_t{1} << (31 + shift)) + value - 1) / value);
  }

  GF_HOST_DEVICE std::uint32_t quotient(std::uint32_t n) const {
    return static_cast<std::uint32_t>(std::uint64_t{n} * multiplier >> (31 + shift));
  }
  GF_HOST_DEVICE std::uint32_t rounded_up(std::uint32_t n) const { return quotient(n + value - 1); }
};

}  // namespace gf
