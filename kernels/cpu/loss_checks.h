#pragma once
// What the losses on logits have in common: their checks, which labels count, the pixels a parallel piece takes.
#include "kernels/check.h"
#include "kernels/cpu/softmax_block.h"

namespace gf::cpu {

inline std::int64_t loss_grain(std::int64_t classes) { return std::max<std::int64_t>(1, 8192 / classes); }

inline void require_logits(const char* kernel, const char* name, const ConstView& z) {
  require_view(kernel, name, z);
  if (z.c < 1 || z.c > kMaxClasses)
    fail(std::string(kernel) + ": number of classes", describe(name, z), "1 to " + std::to_string(kMaxClasses),
         std::to_string(z.c));
}

inline void require_labels(const char* kernel, const ConstView& label, const ConstView& z) {
  require_view(kernel, "label", label, DType::i32);
  require_shape(kernel, "label", label, {z.n, z.h, z.w, 1});
}

// The class of a pixel, or -1 where it does not count.
inline std::int64_t counted_class(std::int32_t label, int ignore_index, std::int64_t classes) {
  return label == ignore_index || label < 0 || label >= classes ? -1 : label;
}

// A label that is neither a class nor the one to ignore.
inline bool is_bad(std::int32_t label, int ignore_index, std::int64_t classes) {
  return label != ignore_index && (label < 0 || label >= classes);
}

}  // namespace gf::cpu
