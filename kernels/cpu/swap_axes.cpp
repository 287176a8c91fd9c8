#include "kernels/swap_axes.h"

#include "kernels/check.h"
#include "kernels/parallel.h"

#include <cstring>

namespace gf {

void swap_height_width(const Cpu&, ConstView x, View y) {
  require_float("swap_height_width", "x", x);
  require_like("swap_height_width", "y", y, x);
  require_shape("swap_height_width", "y", y, {x.n, x.w, x.h, x.c});
  if (x.count() == 0) return;
  const auto size = static_cast<std::int64_t>(size_of(x.dtype));
  const char* from = data_as<char>(x);
  char* to = data_as<char>(y);
  // A row of y at a time: written in order, read with a stride.
  parallel_for(y.n * y.h, std::max<std::int64_t>(1, 32768 / (y.w * y.c)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const char* column = from + (r / y.h * x.h * x.w + r % y.h) * x.pixel_stride * size;
      char* row = to + r * y.w * y.pixel_stride * size;
      for (std::int64_t i = 0; i < y.w; ++i)
        std::memcpy(row + i * y.pixel_stride * size, column + i * x.w * x.pixel_stride * size,
                    static_cast<std::size_t>(x.c * size));
    }
  });
}

}  // namespace gf
