#include "kernels/pad.h"

#include "kernels/pad_checks.h"
#include "kernels/parallel.h"

#include <cstring>

namespace gf {
namespace {

// The corner that both maps share, and zeros in the rest of y.
void copy_corner(const ConstView& x, const View& y) {
  if (y.count() == 0) return;
  const std::int64_t h = std::min(x.h, y.h), w = std::min(x.w, y.w);
  const auto size = static_cast<std::int64_t>(size_of(x.dtype));
  const auto pixel = static_cast<std::size_t>(y.c * size);
  const char* from = data_as<char>(x);
  char* to = data_as<char>(y);
  parallel_for(y.n * y.h, std::max<std::int64_t>(1, 32768 / (y.w * y.c)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const std::int64_t i = r % y.h, kept = i < h ? w : 0;
      const char* source = from + (r / y.h * x.h + i) * x.w * x.pixel_stride * size;
      char* row = to + r * y.w * y.pixel_stride * size;
      for (std::int64_t j = 0; j < kept; ++j)
        std::memcpy(row + j * y.pixel_stride * size, source + j * x.pixel_stride * size, pixel);
      for (std::int64_t j = kept; j < y.w; ++j) std::memset(row + j * y.pixel_stride * size, 0, pixel);
    }
  });
}

}  // namespace

void pad_corner(const Cpu&, ConstView x, View y) {
  require_corner("pad_corner", "x", x, "y", y);
  copy_corner(x, y);
}

void crop_corner(const Cpu&, ConstView x, View y) {
  require_corner("crop_corner", "y", y, "x", x);
  copy_corner(x, y);
}

}  // namespace gf
