#pragma once
// bfloat16: the upper half of a float32. A kernel reads it, works in float32 and rounds once, to the nearest, ties to
// even; NaN stays NaN. The same bits on host and device.
#include <bit>
#include <cstdint>

#include "kernels/host_device.h"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#endif

namespace gf {

struct bf16 {
  std::uint16_t bits;
};

GF_HOST_DEVICE inline float to_float(float x) { return x; }

GF_HOST_DEVICE inline float to_float(bf16 x) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(std::uint32_t{x.bits} << 16);
#else
  return std::bit_cast<float>(std::uint32_t{x.bits} << 16);
#endif
}

GF_HOST_DEVICE inline bf16 to_bf16(float x) {
#ifdef __CUDA_ARCH__
  return {__bfloat16_as_ushort(__float2bfloat16_rn(x))};
#else
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return {0x7fff};
  return {static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16)};
#endif
}

// x as an element of type T.
template <class T>
GF_HOST_DEVICE T to_element(float x);
template <>
GF_HOST_DEVICE inline float to_element<float>(float x) {
  return x;
}
template <>
GF_HOST_DEVICE inline bf16 to_element<bf16>(float x) {
  return to_bf16(x);
}

}  // namespace gf
