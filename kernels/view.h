#pragma once
// What a kernel sees of a tensor: a pointer, a dtype and an NHWC shape.
//
// Activations are NHWC everywhere. Channels are contiguous; neighbouring pixels lie `pixel_stride >= c` elements apart,
// like a BLAS leading dimension, so a view can be a channel range of a wider buffer (a concatenation is two writers
// into the halves of one buffer). Pixel p of the n*h*w pixels starts at data + p * pixel_stride.
//
// Matrices are (n, 1, rows, cols), vectors (1, 1, 1, c), scalars (1, 1, 1, 1).
// Weights: convolution (out, kh, kw, in/groups), depthwise (c, kh, kw, 1), transposed convolution (in, kh, kw, out).
#include <cstddef>
#include <cstdint>
#include <string>

namespace gf {

enum class DType : std::uint8_t { f32, bf16, i32, u8 };

constexpr std::size_t size_of(DType t) { return t == DType::u8 ? 1 : t == DType::bf16 ? 2 : 4; }
constexpr const char* name_of(DType t) {
  return t == DType::f32 ? "f32" : t == DType::bf16 ? "bf16" : t == DType::i32 ? "i32" : "u8";
}

struct Shape {
  std::int64_t n = 1, h = 1, w = 1, c = 1;

  constexpr std::int64_t pixels() const { return n * h * w; }
  constexpr std::int64_t count() const { return n * h * w * c; }
  constexpr bool operator==(const Shape&) const = default;
  std::string str() const {
    return "[" + std::to_string(n) + "," + std::to_string(h) + "," + std::to_string(w) + "," + std::to_string(c) + "]";
  }
};

template <class Pointer>
struct BasicView {
  Pointer data = nullptr;
  DType dtype = DType::f32;
  std::int64_t n = 0, h = 0, w = 0, c = 0;
  std::int64_t pixel_stride = 0;

  BasicView() = default;
  BasicView(Pointer data_, DType dtype_, Shape s, std::int64_t pixel_stride_)
      : data(data_), dtype(dtype_), n(s.n), h(s.h), w(s.w), c(s.c), pixel_stride(pixel_stride_) {}
  BasicView(Pointer data_, DType dtype_, Shape s) : BasicView(data_, dtype_, s, s.c) {}
  template <class Other>
  BasicView(const BasicView<Other>& o) : BasicView(o.data, o.dtype, o.shape(), o.pixel_stride) {}

  Shape shape() const { return {n, h, w, c}; }
  std::int64_t pixels() const { return n * h * w; }
  std::int64_t count() const { return n * h * w * c; }
  bool dense() const { return pixel_stride == c || pixels() <= 1; }
};

using View = BasicView<void*>;             // written, or read and written
using ConstView = BasicView<const void*>;  // read only; a View converts to it

template <class T>
T* data_as(const View& v) {
  return static_cast<T*>(v.data);
}
template <class T>
const T* data_as(const ConstView& v) {
  return static_cast<const T*>(v.data);
}

}  // namespace gf
