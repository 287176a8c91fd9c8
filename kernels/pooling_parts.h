#pragma once
// What the CPU and the GPU bodies of pooling.h share: the checks and the cells of adaptive pooling.
#include <limits>

#include "kernels/check.h"
#include "kernels/divisor.h"
#include "kernels/pooling.h"

namespace gf {

// Adaptive pooling's cells: cell i of `out` covers [begin, end) of `in`. The same formula with the sizes exchanged
// gives the cells that cover a position.
struct PoolCells {
  std::uint32_t in;
  Divisor out;

  PoolCells(std::int64_t in_, std::int64_t out_) : in(static_cast<std::uint32_t>(in_)), out(out_) {}
  GF_HOST_DEVICE std::int32_t begin(std::int64_t i) const {
    return static_cast<std::int32_t>(out.quotient(static_cast<std::uint32_t>(i) * in));
  }
  GF_HOST_DEVICE std::int32_t end(std::int64_t i) const {
    return static_cast<std::int32_t>(out.rounded_up((static_cast<std::uint32_t>(i) + 1) * in));
  }
};

// dtype is what the maps must have: float32 on the CPU, that of the first one on the GPU.

inline void check_max_pool(const char* kernel, DType dtype, const PoolShape& p, const char* map_name,
                           const ConstView& map, const char* pooled_name, const ConstView& pooled,
                           const ConstView& index) {
  require_view(kernel, pooled_name, pooled, dtype);
  require_view(kernel, map_name, map, dtype);
  require_view(kernel, "index", index, DType::i32);
  require_shape(kernel, pooled_name, pooled, max_pool_output(map.shape(), p));
  require_same_shape(kernel, "index", index, pooled_name, pooled);
  if (map.h * map.w > std::numeric_limits<std::int32_t>::max())
    fail(std::string(kernel) + ": map too large", describe(map_name, map));
}

// Windows that cover every position at most once.
inline bool windows_are_apart(const PoolShape& p) { return p.kernel == p.stride && p.pad == 0; }

inline void check_max_unpool(const char* kernel, DType dtype, const PoolShape& p, const char* map_name,
                             const ConstView& map, const char* pooled_name, const ConstView& pooled,
                             const ConstView& index) {
  if (!windows_are_apart(p))
    fail(std::string(kernel) + ": windows overlap or leave gaps", describe(map_name, map), "kernel = stride, padding 0",
         "kernel " + std::to_string(p.kernel) + ", stride " + std::to_string(p.stride) + ", padding " +
             std::to_string(p.pad));
  check_max_pool(kernel, dtype, p, map_name, map, pooled_name, pooled, index);
}

inline void check_adaptive_avg_pool(const char* kernel, DType dtype, const char* map_name, const ConstView& map,
                                    const char* pooled_name, const ConstView& pooled) {
  require_view(kernel, pooled_name, pooled, dtype);
  require_view(kernel, map_name, map, dtype);
  require_shape(kernel, pooled_name, pooled, {map.n, pooled.h, pooled.w, map.c});
  require_short_axes(kernel, map_name, map, pooled_name, pooled);
}

inline void check_adaptive_max_pool(const char* kernel, DType dtype, const char* map_name, const ConstView& map,
                                    const char* pooled_name, const ConstView& pooled, const ConstView& index) {
  check_adaptive_avg_pool(kernel, dtype, map_name, map, pooled_name, pooled);
  require_view(kernel, "index", index, DType::i32);
  require_same_shape(kernel, "index", index, pooled_name, pooled);
  if (map.h * map.w > std::numeric_limits<std::int32_t>::max())
    fail(std::string(kernel) + ": map too large", describe(map_name, map));
}

}  // namespace gf
