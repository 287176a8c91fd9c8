#pragma once
// What the bodies of pad.h check alike.
#include "kernels/check.h"

namespace gf {

// `small` fits into `large`'s corner.
inline void require_corner(const char* kernel, const char* name_small, const ConstView& small, const char* name_large,
                           const ConstView& large) {
  require_float(kernel, name_small, small);
  require_like(kernel, name_large, large, small);
  if (large.n != small.n || large.c != small.c || large.h < small.h || large.w < small.w)
    fail(std::string(kernel) + ": maps do not fit", describe(name_small, small) + " and " + describe(name_large, large),
         "the same n and c, " + std::string(name_large) + " at least as high and wide as " + name_small);
}

}  // namespace gf
