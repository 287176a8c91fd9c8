#pragma once
// Random fills from Philox (philox.h): element i of a dense view takes word i%4 of counter i/4 of (seed, stream), so
// the values do not depend on threads or device, and a fill is a prefix of any longer one.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

// y uniform in [low, high), low < high; y dense float32
void random_uniform(const Cpu&, std::uint64_t seed, std::uint64_t stream, float low, float high, View y);
// y normal: Box-Muller on words (0, 1) and (2, 3), worked out in double and rounded
void random_normal(const Cpu&, std::uint64_t seed, std::uint64_t stream, float mean, float stddev, View y);
// Dropout2d: whole channels of an image are zeroed with probability p, the others scaled by 1/(1-p).
// mask (n,1,1,c), dense, receives 0 or 1/(1-p), all 0 where p is 1.
void dropout_mask(const Cpu&, std::uint64_t seed, std::uint64_t stream, float p, View mask);

}  // namespace gf
