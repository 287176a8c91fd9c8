#pragma once
// The elements of a map, one or a pack of channels a thread. Neighbouring threads lie along the channels, then along
// the pixels, so accesses of a warp join and few channels leave no thread idle.
#include "kernels/cuda/element.h"
#include "kernels/divisor.h"

namespace gf {

constexpr int kItemThreads = 256;

// A view in a kernel. T is the element's type, const for a view that is only read.
template <class T>
struct Pixels {
  T* data;
  std::int64_t stride;
  int h, w;

  __device__ T* at(unsigned n, int row, int column, unsigned c) const {
    return data + (std::int64_t{n} * h * w + std::int64_t{row} * w + column) * stride + c;
  }
};

template <class T, class V>
Pixels<T> pixels_of(const V& v) {
  return {static_cast<T*>(v.data), v.pixel_stride, static_cast<int>(v.h), static_cast<int>(v.w)};
}

struct MapItem {
  unsigned n, c;
  int h, w;
};

// Pixels times packs, numbered through.
struct MapItems {
  Divisor packs, w, h;
  unsigned count, width;

  MapItems(const char* kernel, const Shape& s, int width_)
      : packs(s.c / width_), w(s.w), h(s.h), count(0), width(static_cast<unsigned>(width_)) {
    const std::int64_t items = s.count() / width_;
    if (items > 0x7fffffff)
      fail(std::string(kernel) + ": map too large", s.str(), "at most 2^31-1 packs of channels", std::to_string(items));
    count = static_cast<unsigned>(items);
  }
  std::int64_t blocks() const { return blocks_for(count, kItemThreads); }

  // The calling thread's item; false where there is none for it.
  __device__ bool take(MapItem& at) const {
    const unsigned item = blockIdx.x * blockDim.x + threadIdx.x;
    if (item >= count) return false;
    const unsigned pixel = packs.quotient(item), line = w.quotient(pixel);
    at.c = (item - pixel * packs.value) * width;
    at.w = static_cast<int>(pixel - line * w.value);
    at.n = h.quotient(line);
    at.h = static_cast<int>(line - at.n * h.value);
    return true;
  }
};

// Calls body(element, width) with a value of the views' element type and, as an integral constant, how many channels a
// thread takes: a pack where `packs`, else one.
template <class Body>
void with_items(DType dtype, bool packs, const Body& body) {
  with_element(dtype, [&](auto element) {
    using T = decltype(element);
    if (packs) return body(element, std::integral_constant<int, kPackWidth<T>>{});
    body(element, std::integral_constant<int, 1>{});
  });
}

}  // namespace gf
