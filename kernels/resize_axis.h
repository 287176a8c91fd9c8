#pragma once
// Which positions of one axis a resize reads and with which weights, forwards and backwards: shared by the CPU and the
// GPU bodies of resize.h, so that both round alike.
//
// Output o reads the source at (o * step + offset) / unit, whole numbers all three: exact in integers.
#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/divisor.h"
#include "kernels/resize.h"

namespace gf {

// unit is the distance of two source positions; of nearest only the whole part of a position counts.
class ResizeAxis {
 public:
  // Output o reads position `low` with weight 1 - fraction and, where fraction is not 0, low + 1 with weight fraction.
  struct Source {
    std::int32_t low;
    float fraction;
  };
  // The outputs that read a position: first .. last - 1.
  struct Readers {
    std::int32_t first, last;
  };

  ResizeAxis(ResizeMode mode, std::int64_t in, std::int64_t out)
      : in_(static_cast<std::int32_t>(in)), out_(static_cast<std::int32_t>(out)) {
    linear_ = mode != ResizeMode::nearest;
    const std::int32_t outputs = std::max(out_, 1);  // an empty map reads nothing
    std::int32_t unit = outputs;
    step_ = in_;
    offset_ = 0;
    if (mode == ResizeMode::bilinear) {
      step_ = 2 * in_;
      offset_ = in_ - outputs;
      unit = 2 * outputs;
    } else if (mode == ResizeMode::bilinear_corners) {
      step_ = outputs > 1 ? in_ - 1 : 0;
      unit = std::max(outputs - 1, 1);
    }
    unit_ = Divisor(unit);
    by_step_ = Divisor(step_ > 0 ? step_ : 1);
    inverse_unit_ = 1.0f / static_cast<float>(unit_.value);
  }

  GF_HOST_DEVICE Source source(std::int32_t o) const {
    const std::int32_t at = o * step_ + offset_;
    if (at <= 0) return {0, 0.0f};
    const auto low = static_cast<std::int32_t>(unit_.quotient(static_cast<std::uint32_t>(at)));
    // At the far edge there is no right neighbour; both weights belong to the last position.
    if (!linear_ || low >= in_ - 1) return {low, 0.0f};
    return {low, fraction(at - low * static_cast<std::int32_t>(unit_.value))};
  }

  GF_HOST_DEVICE Readers readers(std::int32_t position) const {
    return {first_at(linear_ ? position - 1 : position), first_at(position + 1)};
  }
  // The weight with which output o, one of its readers, reads the position.
  GF_HOST_DEVICE float weight(std::int32_t position, std::int32_t o) const {
    if (!linear_) return 1.0f;
    const std::int32_t at = o * step_ + offset_, unit = static_cast<std::int32_t>(unit_.value);
    const std::int32_t beyond = (at > 0 ? at : 0) - position * unit;
    if (beyond < 0) return fraction(beyond + unit);
    return position == in_ - 1 ? 1.0f : 1.0f - fraction(beyond);
  }
  // No position has more readers.
  std::int32_t most_readers() const {
    if (step_ == 0) return out_;
    const std::int32_t apart = static_cast<std::int32_t>(unit_.value) / step_ + 1;
    return (linear_ ? 2 : 1) * apart;
  }

 private:
  // over / unit for 0 <= over < unit: the quotient by the rounded inverse, put right by its remainder.
  GF_HOST_DEVICE float fraction(std::int32_t over) const {
    const float f = static_cast<float>(over), q = f * inverse_unit_;
    return fmaf(fmaf(-q, static_cast<float>(unit_.value), f), inverse_unit_, q);
  }
  // The first output at or beyond a source position.
  GF_HOST_DEVICE std::int32_t first_at(std::int32_t position) const {
    const std::int32_t from = position * static_cast<std::int32_t>(unit_.value) - offset_;
    if (from <= 0) return 0;
    if (step_ == 0) return out_;
    const auto o = static_cast<std::int32_t>(by_step_.rounded_up(static_cast<std::uint32_t>(from)));
    return o < out_ ? o : out_;
  }

  std::int32_t in_, out_, step_, offset_;
  Divisor unit_, by_step_;
  float inverse_unit_;
  bool linear_;
};

// dtype is what both maps must have: float32 on the CPU, that of the first one on the GPU.
inline void check_resize(const char* kernel, DType dtype, const char* small, const ConstView& x, const char* large,
                         const ConstView& y) {
  require_view(kernel, small, x, dtype);
  require_view(kernel, large, y, dtype);
  require_shape(kernel, large, y, {x.n, y.h, y.w, x.c});
  require_short_axes(kernel, small, x, large, y);
  if (y.count() > 0) require_not_empty(kernel, small, x);
}

}  // namespace gf
