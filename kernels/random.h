#pragma once
// Random fills from Philox (philox.h): element i of a dense view takes word i%4 of counter i/4 of (seed, stream), so the values do
// not depend on threads or device.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

// y uniform in [low, high); y dense float32
void random_uniform(const Cpu&, std::uint64_t seed, std::uint64_t stream, float low, float high, View y);
// y normal (Box-Muller on two words)
void random_normal(const Cpu&, std::uint64_t seed, std::uint64_t stream, float mean, float stddev, View y);
// Dropout2d: whole channels of an image are zeroed with probability p, the others scaled by 1/(1-p).
// mask (n,1,1,c) receives 0 or 1/(1-p).
void dropout_mask(const Cpu&, std::uint64_t seed, std::uint64_t stream, float p, View mask);

}  // namespace gf
