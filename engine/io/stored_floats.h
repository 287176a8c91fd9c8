#pragma once
// Floating-point numbers as files store them, made float32.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace gf {

inline float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

inline float from_f16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fu, fraction = bits & 0x3ffu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float tiny = static_cast<float>(fraction) * 0x1p-24f;  // subnormal, or zero
  return sign ? -tiny : tiny;
}

// A double beyond float's range is undefined in C++'s conversion, not in IEEE's: says inf by hand.
inline float from_f64(double v) {
  constexpr double kLimit = 0x1.ffffffp127;  // rounds up past the largest float
  return std::abs(v) >= kLimit
             ? std::copysign(std::numeric_limits<float>::infinity(), static_cast<float>(v > 0 ? 1 : -1))
             : static_cast<float>(v);
}

}  // namespace gf
