#pragma once
// A grid of blocks on host threads.
#include <functional>

#include "kernels/simt/block.h"

namespace gf::simt {

// Calls body(number) once for every block of the grid with blockIdx, blockDim and gridDim set; blocks run in parallel,
// in the order the launch's seed gives. Rethrows the error of the first block (by number) that failed.
void for_each_block(const Launch& launch, const std::function<void(std::uint64_t number)>& body);

// Threads as fibers: they may meet and share.
void run_cooperative(const Launch& launch);

// Threads as a plain loop: they may neither meet nor share. Hundreds of times as fast per thread.
template <class Kernel>
void run_independent(const Launch& launch, const Kernel& kernel) {
  const Dim3 size = launch.block;
  const bool reversed = launch.order_seed % 2 == 1;
  for_each_block(launch, [&](std::uint64_t) {
    for (unsigned z = 0; z < size.z; ++z) {
      for (unsigned y = 0; y < size.y; ++y) {
        for (unsigned i = 0; i < size.x; ++i) {
          threadIdx = {reversed ? size.x - 1 - i : i, y, z};
          kernel();
        }
      }
    }
  });
}

}  // namespace gf::simt
