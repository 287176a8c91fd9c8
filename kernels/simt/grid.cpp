#include "kernels/simt/grid.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <numeric>

#include "kernels/philox.h"

namespace gf::simt {
namespace {

// The order in which blocks start: a walk through all numbers with a step that has no common divisor with their count.
struct BlockOrder {
  std::uint64_t count, first = 0, step = 1;

  BlockOrder(std::uint64_t blocks, unsigned seed) : count(blocks) {
    if (seed == 1) {
      first = count - 1;
      step = count - 1;
    } else if (seed > 1) {
      const Philox4 random = philox(seed, ~0ull, count);
      first = random.v[0] % count;
      step = random.v[1] % count;
      while (std::gcd(step, count) != 1) ++step;
    }
  }
  std::uint64_t at(std::uint64_t i) const { return (first + i * step) % count; }
};

Dim3 block_index(const Dim3& grid, std::uint64_t number) {
  return {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
          static_cast<unsigned>(number / grid.x / grid.y)};
}

}  // namespace

void for_each_block(const Launch& launch, const std::function<void(std::uint64_t)>& body) {
  const std::uint64_t count = launch.grid.count();
  const BlockOrder order(count, launch.order_seed);
  std::atomic<bool> failed = false;
  std::mutex mutex;
  std::exception_ptr error;
  std::uint64_t failed_number = 0;
#pragma omp parallel if (count > 1)
  {
    Block::current().begin_launch();
    gridDim = launch.grid;
    blockDim = launch.block;
#pragma omp for schedule(dynamic)
    for (std::uint64_t i = 0; i < count; ++i) {
      if (failed) continue;
      const std::uint64_t number = order.at(i);
      blockIdx = block_index(launch.grid, number);
      try {
        body(number);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!error || number < failed_number) {
          error = std::current_exception();
          failed_number = number;
        }
        failed = true;
      }
    }
  }
  if (error) std::rethrow_exception(error);
}

void run_cooperative(const Launch& launch) {
  for_each_block(launch, [&](std::uint64_t number) { Block::current().run(launch, number); });
}

}  // namespace gf::simt
