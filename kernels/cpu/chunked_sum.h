#pragma once
// Sums over many items, in double, in an order fixed by the number of items: they are cut into chunks, each chunk has
// sums of its own, and these are added up in order, whatever the number of threads.
#include "kernels/cpu/scratch.h"
#include "kernels/parallel.h"

namespace gf::cpu {

// The doubles that chunked_sum_in works on.
inline std::int64_t chunked_sum_size(std::int64_t count, std::int64_t grain, std::int64_t width) {
  grain = std::max<std::int64_t>(grain, 1);
  return std::max<std::int64_t>(1, (count + grain - 1) / grain) * width;
}

// Calls body(begin, end, sums) for chunks of `grain` items of [0, count); `sums` holds `width` doubles, zero at first,
// to which body adds. Returns the totals, the first `width` of `sums`.
template <class Body>
const double* chunked_sum_in(double* sums, std::int64_t count, std::int64_t grain, std::int64_t width,
                             const Body& body) {
  grain = std::max<std::int64_t>(grain, 1);
  const std::int64_t chunks = chunked_sum_size(count, grain, 1);
  std::fill_n(sums, chunks * width, 0.0);
  parallel_for(count, grain,
               [&](std::int64_t begin, std::int64_t end) { body(begin, end, sums + begin / grain * width); });
  for (std::int64_t k = 1; k < chunks; ++k)
    for (std::int64_t i = 0; i < width; ++i) sums[i] += sums[k * width + i];
  return sums;
}

// The same in workspace memory: valid until the calling kernel returns, and the kernel's one request for workspace.
template <class Body>
const double* chunked_sum(const Cpu& cpu, const char* kernel, std::int64_t count, std::int64_t grain,
                          std::int64_t width, const Body& body) {
  const std::int64_t size = chunked_sum_size(count, grain, width);
  Scratch scratch(cpu, kernel, Scratch::bytes<double>(size));
  return chunked_sum_in(scratch.take<double>(size), count, grain, width, body);
}

}  // namespace gf::cpu
