#pragma once
// Where maxima were found: one i32 position a channel beside the pooled values, read and written in packs like them.
#include "kernels/cuda/map_items.h"

namespace gf {

using Position = std::int32_t;

// As many indices as a thread has channels; packs of them are a multiple of 16 bytes.
template <int kWidth>
__device__ void load_indices(const Position* p, Position (&v)[kWidth]) {
  if constexpr (kWidth == 1) {
    v[0] = *p;
  } else {
    struct alignas(16) Raw {
      Position e[4];
    };
    for (int first = 0; first < kWidth; first += 4) {
      const Raw raw = load16<Raw>(p + first);
      for (int i = 0; i < 4; ++i) v[first + i] = raw.e[i];
    }
  }
}

template <int kWidth>
__device__ void store_indices(Position* p, const Position (&v)[kWidth]) {
  if constexpr (kWidth == 1) {
    *p = v[0];
  } else {
    struct alignas(16) Raw {
      Position e[4];
    };
    for (int first = 0; first < kWidth; first += 4) {
      Raw raw;
      for (int i = 0; i < 4; ++i) raw.e[i] = v[first + i];
      store16(p + first, raw);
    }
  }
}

inline bool in_packs(const ConstView& map, const ConstView& pooled, const ConstView& index) {
  return takes_packs(map) && takes_packs(pooled) && starts_at_16_bytes(index);
}

}  // namespace gf
