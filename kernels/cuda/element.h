#pragma once
// Elements of a tensor as a kernel handles them: float32 or bf16 in memory, float32 in registers. A thread takes one
// element, or a pack of 16 bytes (4 or 8 neighbouring channels) where pointer and pixel stride allow.
#include <type_traits>

#include "kernels/bf16.h"
#include "kernels/check.h"
#include "kernels/launch.h"

namespace gf {

template <class T>
constexpr int kPackWidth = 16 / static_cast<int>(sizeof(T));

// kWidth values of type T from p, in float32. kWidth is 1 or kPackWidth<T>; a pack's p is a multiple of 16.
template <int kWidth, class T>
__device__ void load_elements(const T* p, float (&v)[kWidth]) {
  if constexpr (kWidth == 1) {
    v[0] = to_float(*p);
  } else {
    static_assert(kWidth == kPackWidth<T>);
    struct alignas(16) Raw {
      T e[kWidth];
    };
    const Raw raw = load16<Raw>(p);
    for (int i = 0; i < kWidth; ++i) v[i] = to_float(raw.e[i]);
  }
}

template <int kWidth, class T>
__device__ void store_elements(T* p, const float (&v)[kWidth]) {
  if constexpr (kWidth == 1) {
    *p = to_element<T>(v[0]);
  } else {
    static_assert(kWidth == kPackWidth<T>);
    struct alignas(16) Raw {
      T e[kWidth];
    };
    Raw raw;
    for (int i = 0; i < kWidth; ++i) raw.e[i] = to_element<T>(v[i]);
    store16(p, raw);
  }
}

// Whether every pixel of the view starts at a multiple of 16 bytes.
inline bool starts_at_16_bytes(const ConstView& v) {
  return reinterpret_cast<std::uintptr_t>(v.data) % 16 == 0 &&
         v.pixel_stride * static_cast<std::int64_t>(size_of(v.dtype)) % 16 == 0;
}

// Whether packs of v's dtype cover its pixels.
inline bool takes_packs(const ConstView& v) {
  return starts_at_16_bytes(v) && v.c * static_cast<std::int64_t>(size_of(v.dtype)) % 16 == 0;
}

// Calls body with a value of the element type: `with_element(dtype, [&](auto e) { using T = decltype(e); ... })`.
// The views must have passed require_float.
template <class Body>
void with_element(DType dtype, const Body& body) {
  if (dtype == DType::bf16) return body(bf16{});
  body(float{});
}

}  // namespace gf
