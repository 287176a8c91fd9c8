#pragma once
// Pictures at another size, as scipy.ndimage.zoom gives them: the corners' pixels stay at the corners, so that pixel i
// of `out` lies at i (in - 1) / (out - 1) of `in` (at 0 where out is 1).
//
// order 0: the nearest pixel, halves upwards. 1: linear. 3: the cubic B-spline through all pixels (prefilter of pole
// sqrt(3) - 2, mirrored at the middle of the border pixels). Computed in double, rounded to float32 once: golden values
// of tests/golden/make_zoom.py to 1e-6.
#include "data/picture.h"

namespace gf {

// In floating point the last coordinate can come out a rounding error beyond the last pixel: 223 * (511 / 223) is
// 511.00000000000006. `scipy` takes that as outside and fills the last row and column with 0, as SciPy does with
// 512 -> 224; `clamp` takes the last pixel.
enum class ZoomBorder { clamp, scipy };

// h, w >= 1, order 0, 1 or 3 (failure otherwise).
Picture zoom(const Picture& picture, std::int64_t h, std::int64_t w, int order, ZoomBorder border = ZoomBorder::clamp);
// Labels: order 0.
Mask zoom(const Mask& mask, std::int64_t h, std::int64_t w, ZoomBorder border = ZoomBorder::clamp);

}  // namespace gf
