#pragma once
// Checks at the door of a kernel: dtypes, shapes, strides. A failing check names the kernel, the tensor and its shape.
// Nothing is formatted unless a check fails.
#include "kernels/error.h"
#include "kernels/view.h"

namespace gf {

// "x f32 [4,32,32,16]". Cold: text is only made for an error.
[[gnu::cold]] inline std::string describe(const char* name, const ConstView& v) {
  return std::string(name) + " " + name_of(v.dtype) + " " + v.shape().str();
}

inline void require_dtype(const char* kernel, const char* name, const ConstView& v, DType expected) {
  if (v.dtype != expected)
    fail(std::string(kernel) + ": wrong dtype", describe(name, v), name_of(expected), name_of(v.dtype));
}

// A view that can be walked: the dtype, a pointer, pixels that do not overlap.
inline void require_view(const char* kernel, const char* name, const ConstView& v, DType expected = DType::f32) {
  require_dtype(kernel, name, v, expected);
  if (v.n < 0 || v.h < 0 || v.w < 0 || v.c < 0) fail(std::string(kernel) + ": negative extent", describe(name, v));
  if (v.data == nullptr && v.count() > 0) fail(std::string(kernel) + ": no data", describe(name, v));
  if (v.pixel_stride < v.c && v.pixels() > 1)
    fail(std::string(kernel) + ": pixels overlap", describe(name, v), "pixel stride of at least " + std::to_string(v.c),
         std::to_string(v.pixel_stride));
}

// A float32 or bf16 view that can be walked.
inline void require_float(const char* kernel, const char* name, const ConstView& v) {
  if (v.dtype != DType::f32 && v.dtype != DType::bf16)
    fail(std::string(kernel) + ": wrong dtype", describe(name, v), "f32 or bf16", name_of(v.dtype));
  require_view(kernel, name, v, v.dtype);
}

// A view of the same dtype as another that passed require_float.
inline void require_like(const char* kernel, const char* name, const ConstView& v, const ConstView& other) {
  require_view(kernel, name, v, other.dtype);
}

inline void require_shape(const char* kernel, const char* name, const ConstView& v, const Shape& expected) {
  if (v.shape() != expected)
    fail(std::string(kernel) + ": wrong shape", describe(name, v), expected.str(), v.shape().str());
}

inline void require_same_shape(const char* kernel, const char* name_a, const ConstView& a, const char* name_b,
                               const ConstView& b) {
  if (a.shape() != b.shape())
    fail(std::string(kernel) + ": shapes differ", describe(name_a, a) + " and " + describe(name_b, b),
         "the same shape");
}

// What a result is made of may not be empty.
inline void require_not_empty(const char* kernel, const char* name, const ConstView& v) {
  if (v.count() == 0) fail(std::string(kernel) + ": empty map", describe(name, v));
}

// Positions of one map in the other can be worked out in 32 bits (divisor.h).
inline void require_short_axes(const char* kernel, const char* name_a, const ConstView& a, const char* name_b,
                               const ConstView& b) {
  constexpr std::int64_t kMost = std::int64_t{1} << 29;
  if ((a.h + 1) * (b.h + 1) > kMost || (a.w + 1) * (b.w + 1) > kMost)
    fail(std::string(kernel) + ": maps too large", describe(name_a, a) + " and " + describe(name_b, b),
         "heights, and widths, whose product is below 2^29");
}

// v can be repeated to `out`: each extent is out's, or 1.
inline void require_broadcast(const char* kernel, const char* name, const ConstView& v, const Shape& out) {
  const bool fits = (v.n == out.n || v.n == 1) && (v.h == out.h || v.h == 1) && (v.w == out.w || v.w == 1) &&
                    (v.c == out.c || v.c == 1);
  if (!fits)
    fail(std::string(kernel) + ": cannot broadcast", describe(name, v), "each extent 1 or that of " + out.str());
}

inline void require_dense(const char* kernel, const char* name, const ConstView& v) {
  if (!v.dense())
    fail(std::string(kernel) + ": not dense", describe(name, v), "pixel stride " + std::to_string(v.c),
         std::to_string(v.pixel_stride), "copy it to a dense tensor first");
}

// A float32 vector (1,1,1,c).
inline void require_vector(const char* kernel, const char* name, const ConstView& v, std::int64_t c) {
  require_view(kernel, name, v);
  require_shape(kernel, name, v, {1, 1, 1, c});
}

// A float32 scalar (1,1,1,1).
inline void require_scalar(const char* kernel, const char* name, const ConstView& v) {
  require_vector(kernel, name, v, 1);
}

}  // namespace gf
