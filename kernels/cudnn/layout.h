#pragma once
// How the engine's memory is told to cuDNN: extents in its order (n, c, h, w; weights out, in, kh, kw) and strides in
// elements, whatever the order in memory.
#include <array>
#include <cstdint>

#include "kernels/view.h"

namespace gf::cudnn {

struct Layout {
  std::array<std::int64_t, 4> extents, strides;
};

// NHWC with a pixel stride.
constexpr Layout activation_layout(const Shape& s, std::int64_t pixel_stride) {
  return {{s.n, s.c, s.h, s.w}, {s.h * s.w * pixel_stride, 1, s.w * pixel_stride, pixel_stride}};
}

// O,KH,KW,I, which covers depthwise C,KH,KW and transposed I,KH,KW,O.
constexpr Layout weight_layout(const Shape& w) { return {{w.n, w.c, w.h, w.w}, {w.h * w.w * w.c, 1, w.w * w.c, w.c}}; }

// One number a channel.
constexpr Layout channel_layout(std::int64_t c) { return {{1, c, 1, 1}, {c, 1, c, c}}; }

}  // namespace gf::cudnn
