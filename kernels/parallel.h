#pragma once
// OpenMP behind one function. Work is cut into the same pieces whatever the number of threads, so results that depend
// on the cut (partial sums) do not depend on the machine.
#include <algorithm>
#include <cstdint>

namespace gf {

// Calls body(begin, end) for pieces of [0, count) of `grain` items; pieces run in parallel, in any order.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  if (count <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t pieces = (count + grain - 1) / grain;
  if (pieces == 1) return body(std::int64_t{0}, count);
#pragma omp parallel for schedule(static)
  for (std::int64_t p = 0; p < pieces; ++p) body(p * grain, std::min(count, (p + 1) * grain));
}

}  // namespace gf
