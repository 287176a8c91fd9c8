#pragma once
// One block of a running kernel: its threads as fibers, its barriers, its warps' shuffles and votes, its shared memory.
//
// A block runs on one OS thread. Its threads run one after the other; one that reaches a barrier, a shuffle or a vote
// suspends itself until all that must meet there have come. What a thread finds there is computed for all of them at
// once when the last has arrived, so it does not depend on the order they ran in.
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "kernels/simt/fiber.h"
#include "kernels/simt/shared.h"
#include "kernels/simt/thread.h"

namespace gf::simt {

constexpr unsigned kWarpSize = 32;

// Where threads meet. The first four concern the block, the others the lanes of a warp named by a mask.
enum class Meeting : std::uint8_t { sync, sync_or, sync_and, sync_count, warp_sync, ballot, shuffle, gather };

// What a thread brings to a meeting, and what it takes away.
struct Arrival {
  Meeting meeting = Meeting::sync;
  std::source_location at;
  unsigned mask = 0;         // of a warp's meeting: the lanes that take part
  unsigned source_lane = 0;  // of a shuffle: the lane whose value is asked for
  std::uint64_t value = 0;   // a predicate, or the bits to be shuffled
  std::uint64_t result = 0;
};

// A kernel with its arguments, called once for every thread.
struct KernelCall {
  void (*call)(const void* closure);
  const void* closure;
};

// What all blocks of a launch have in common.
struct Launch {
  KernelCall kernel;
  Dim3 grid, block;
  std::size_t dynamic_shared_bytes = 0, shared_limit = 0;
  unsigned order_seed = 0;
};

class Block {
 public:
  // The executor of this OS thread; it is reused from block to block.
  static Block& current();
  // The same for a thread that needs its neighbours; throws where the kernel was launched as independent threads.
  static Block& running(const char* what, const std::source_location& at);

  // Forgets the shared arrays of the last launch.
  void begin_launch();
  // Runs all threads of block number `number` (blockIdx is set). Rethrows the first error of a thread, once all others
  // have ended.
  void run(const Launch& launch, std::uint64_t number);

  // Called by the running thread.
  std::uint64_t meet(const Arrival& arrival);
  // After a gather: what a lane of the running thread's warp brought to it. Until the warp meets again.
  std::uint64_t gathered(unsigned lane) const;
  unsigned lane() const { return running_ % kWarpSize; }
  Moment now() const { return {running_, block_epoch_, warps_[running_ / kWarpSize].epoch}; }
  SharedArray* shared_array(const char* name, std::size_t element_bytes, std::size_t count,
                            const std::source_location& at);
  SharedArray* dynamic_shared_array(const char* name, std::size_t element_bytes, const std::source_location& at);

  std::string thread_name(unsigned thread) const;  // "thread (5,0,0)"

 private:
  enum class State : std::uint8_t { ready, waiting, ended };
  struct Thread {
    State state = State::ended;
    Arrival arrival;
  };
  struct Warp {
    unsigned first = 0, count = 0;
    std::uint32_t epoch = 0;

    unsigned lanes() const { return count == kWarpSize ? ~0u : (1u << count) - 1; }
  };

  void prepare(std::uint64_t number);
  void schedule();
  void thread_main();
  void make_running(unsigned thread);
  void resume(unsigned thread);
  bool run_warp(Warp& warp);
  unsigned live_lanes(const Warp& warp) const;
  bool release_warp(Warp& warp);
  bool have_met(const Warp& warp, unsigned lanes, const Arrival& wanted) const;
  void answer(Warp& warp, unsigned lanes);
  void shuffle(const Warp& warp, unsigned lanes);
  bool release_block();
  [[noreturn]] void report_stall();
  void abandon();
  Dim3 thread_index(unsigned thread) const;
  SharedArray* add_array(const char* name, std::size_t element_bytes, std::size_t count,
                         const std::source_location& at);

  const Launch* launch_ = nullptr;  // null while no block runs
  unsigned running_ = 0;            // the thread that runs at the moment
  bool abandoning_ = false;
  std::exception_ptr error_;
  std::uint32_t block_epoch_ = 0;  // counts up for ever, so that no access of an earlier block looks recent

  std::vector<std::unique_ptr<Fiber>> fibers_;  // kept, with their stacks
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<unsigned> warp_order_, lane_order_;

  std::deque<SharedArray> arrays_;  // of this launch, the dynamic one among them
  SharedArray* dynamic_ = nullptr;
};

}  // namespace gf::simt
