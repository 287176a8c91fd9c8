#include "kernels/simt/block.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <numeric>

#include "kernels/philox.h"

namespace gf::simt {
namespace {

// Thrown through the threads that are left when one has failed.
struct Abandoned {};

bool concerns_block(Meeting m) { return m <= Meeting::sync_count; }

bool same_place(const std::source_location& a, const std::source_location& b) {
  return a.line() == b.line() && a.column() == b.column() && std::strcmp(a.file_name(), b.file_name()) == 0;
}

const char* name_of(Meeting m) {
  switch (m) {
    case Meeting::sync:
      return "__syncthreads";
    case Meeting::sync_or:
      return "__syncthreads_or";
    case Meeting::sync_and:
      return "__syncthreads_and";
    case Meeting::sync_count:
      return "__syncthreads_count";
    case Meeting::warp_sync:
      return "__syncwarp";
    case Meeting::ballot:
      return "a vote";
    case Meeting::shuffle:
      return "a shuffle";
    case Meeting::gather:
      return "a matrix tile of the warp";
  }
  return "";
}

std::string describe(const Arrival& a) {
  std::string s = name_of(a.meeting);
  if (!concerns_block(a.meeting)) {
    char mask[32];
    std::snprintf(mask, sizeof mask, " with mask 0x%08x", a.mask);
    s += mask;
  }
  return s + " at " + place(a.at);
}

// 0: as numbered, 1: reversed, above: shuffled, another way in every block.
void set_order(std::vector<unsigned>& order, unsigned count, unsigned seed, std::uint64_t stream) {
  order.resize(count);
  std::iota(order.begin(), order.end(), 0u);
  if (seed == 1) std::reverse(order.begin(), order.end());
  for (unsigned i = count; seed > 1 && i > 1; --i) std::swap(order[i - 1], order[philox(seed, stream, i).v[0] % i]);
}

}  // namespace

Block& Block::current() {
  static thread_local Block block;
  return block;
}

Block& Block::running(const char* what, const std::source_location& at) {
  Block& block = current();
  if (block.launch_ == nullptr) {
    kernel_error(std::string(what) + " in a kernel of independent threads", at, "none", {},
                 "use launch() in place of launch_independent()");
  }
  return block;
}

void Block::begin_launch() {
  arrays_.clear();
  dynamic_ = nullptr;
}

void Block::prepare(std::uint64_t number) {
  const auto count = static_cast<unsigned>(launch_->block.count());
  while (fibers_.size() < count) fibers_.push_back(std::make_unique<Fiber>());
  threads_.assign(count, Thread{State::ready, {}});
  warps_.clear();
  for (unsigned first = 0; first < count; first += kWarpSize) {
    warps_.push_back({first, std::min(kWarpSize, count - first), 0});
  }
  set_order(warp_order_, static_cast<unsigned>(warps_.size()), launch_->order_seed, 2 * number);
  set_order(lane_order_, kWarpSize, launch_->order_seed, 2 * number + 1);
  ++block_epoch_;
  for (SharedArray& a : arrays_) a.begin_block(block_epoch_);
  const auto entry = [](void* self) { static_cast<Block*>(self)->thread_main(); };
  for (unsigned t = 0; t < count; ++t) fibers_[t]->start(entry, this);
}

void Block::run(const Launch& launch, std::uint64_t number) {
  launch_ = &launch;
  error_ = nullptr;
  prepare(number);
  try {
    schedule();
  } catch (...) {
    error_ = std::current_exception();
  }
  if (error_) abandon();
  launch_ = nullptr;
  if (error_) std::rethrow_exception(error_);
}

void Block::schedule() {
  for (;;) {
    bool progress = false;
    for (const unsigned w : warp_order_) {
      progress |= run_warp(warps_[w]);
      if (error_) return;
    }
    const auto ended = [](const Thread& t) { return t.state == State::ended; };
    if (std::all_of(threads_.begin(), threads_.end(), ended)) return;
    progress |= release_block();
    if (!progress) report_stall();
  }
}

void Block::thread_main() {
  const unsigned self = running_;
  try {
    if (!abandoning_) launch_->kernel.call(launch_->kernel.closure);
  } catch (const Abandoned&) {
  } catch (...) {
    if (!error_) error_ = std::current_exception();
  }
  threads_[self].state = State::ended;
}

void Block::make_running(unsigned thread) {
  running_ = thread;
  threadIdx = thread_index(thread);
}

void Block::resume(unsigned thread) {
  make_running(thread);
  fibers_[thread]->resume();
}

// Runs the warp's threads as far as they get without the other warps. True if any ran.
bool Block::run_warp(Warp& warp) {
  bool any = false;
  do {
    bool ran = false;
    for (const unsigned lane : lane_order_) {
      if (lane >= warp.count || threads_[warp.first + lane].state != State::ready) continue;
      resume(warp.first + lane);
      if (error_) return true;
      ran = true;
    }
    if (!ran) break;
    any = true;
  } while (release_warp(warp));
  return any;
}

std::uint64_t Block::meet(const Arrival& arrival) {
  const unsigned self = running_;
  if (!concerns_block(arrival.meeting) && (arrival.mask >> lane() & 1u) == 0) {
    kernel_error("mask without the calling lane", arrival.at, "bit " + std::to_string(lane()) + " set",
                 describe(arrival));
  }
  threads_[self].arrival = arrival;
  threads_[self].state = State::waiting;
  fibers_[self]->suspend();
  if (abandoning_) throw Abandoned{};
  return threads_[self].arrival.result;
}

std::uint64_t Block::gathered(unsigned lane) const {
  return threads_[running_ / kWarpSize * kWarpSize + lane].arrival.value;
}

unsigned Block::live_lanes(const Warp& warp) const {
  unsigned live = 0;
  for (unsigned lane = 0; lane < warp.count; ++lane) {
    if (threads_[warp.first + lane].state != State::ended) live |= 1u << lane;
  }
  return live;
}

// Lets those of the warp's waiting lanes go on whose meeting is complete. True if there were any.
bool Block::release_warp(Warp& warp) {
  bool released = false;
  const unsigned live = live_lanes(warp);
  for (unsigned lane = 0; lane < warp.count; ++lane) {
    const Thread& t = threads_[warp.first + lane];
    if (t.state != State::waiting || concerns_block(t.arrival.meeting)) continue;
    const unsigned lanes = t.arrival.mask & live;  // a lane that has ended is not waited for
    if (!have_met(warp, lanes, t.arrival)) continue;
    answer(warp, lanes);
    released = true;
  }
  return released;
}

bool Block::have_met(const Warp& warp, unsigned lanes, const Arrival& wanted) const {
  for (unsigned lane = 0; lane < warp.count; ++lane) {
    if ((lanes >> lane & 1u) == 0) continue;
    const Thread& t = threads_[warp.first + lane];
    if (t.state != State::waiting || t.arrival.meeting != wanted.meeting || t.arrival.mask != wanted.mask) return false;
    // Only __syncwarp may be reached on different lines.
    if (wanted.meeting != Meeting::warp_sync && !same_place(t.arrival.at, wanted.at)) return false;
  }
  return true;
}

void Block::answer(Warp& warp, unsigned lanes) {
  Thread* const threads = threads_.data() + warp.first;
  const auto for_each_lane = [&](const auto& visit) {
    for (unsigned lane = 0; lane < warp.count; ++lane) {
      if (lanes >> lane & 1u) visit(lane, threads[lane]);
    }
  };
  Meeting meeting{};
  unsigned votes = 0;
  for_each_lane([&](unsigned lane, const Thread& t) {
    meeting = t.arrival.meeting;
    votes |= t.arrival.value != 0 ? 1u << lane : 0u;
  });
  if (meeting == Meeting::warp_sync && lanes == live_lanes(warp)) ++warp.epoch;
  if (meeting == Meeting::shuffle) shuffle(warp, lanes);
  if (meeting == Meeting::gather && lanes != ~0u) {
    make_running(warp.first + static_cast<unsigned>(std::countr_zero(lanes)));
    const Arrival& a = threads_[running_].arrival;
    kernel_error("matrix tile without all lanes", a.at, "all 32 lanes of the warp",
                 std::to_string(std::popcount(lanes)) + " of them");
  }
  for_each_lane([&](unsigned, Thread& t) {
    if (meeting == Meeting::ballot) t.arrival.result = votes;
    t.state = State::ready;
  });
}

void Block::shuffle(const Warp& warp, unsigned lanes) {
  for (unsigned lane = 0; lane < warp.count; ++lane) {
    if ((lanes >> lane & 1u) == 0) continue;
    Arrival& a = threads_[warp.first + lane].arrival;
    if ((lanes >> a.source_lane & 1u) == 0) {
      make_running(warp.first + lane);
      const bool in_mask = a.mask >> a.source_lane & 1u;
      kernel_error(
          "shuffle from a lane that takes no part", a.at, "a lane of the mask that is still running",
          "lane " + std::to_string(a.source_lane) + (in_mask ? ", which has ended, in " : " in ") + describe(a));
    }
    a.result = threads_[warp.first + a.source_lane].arrival.value;
  }
}

// Lets all threads go on where all that still run wait at one barrier of the block.
bool Block::release_block() {
  const Thread* first = nullptr;
  std::uint64_t count = 0, live = 0;
  for (unsigned t = 0; t < threads_.size(); ++t) {
    const Thread& thread = threads_[t];
    if (thread.state == State::ended) continue;
    if (thread.state != State::waiting || !concerns_block(thread.arrival.meeting)) return false;
    if (first == nullptr) first = &thread;
    if (!same_place(thread.arrival.at, first->arrival.at)) {
      make_running(t);
      kernel_error("divergent barrier", thread.arrival.at, "all threads of the block at one barrier",
                   thread_name(static_cast<unsigned>(first - threads_.data())) + " at " + describe(first->arrival));
    }
    count += thread.arrival.value != 0 ? 1 : 0;
    ++live;
  }
  std::uint64_t result = count;
  if (first->arrival.meeting == Meeting::sync_or) result = count > 0 ? 1 : 0;
  if (first->arrival.meeting == Meeting::sync_and) result = count == live ? 1 : 0;
  ++block_epoch_;
  for (Thread& t : threads_) {
    if (t.state == State::ended) continue;
    t.arrival.result = result;
    t.state = State::ready;
  }
  return true;
}

void Block::report_stall() {
  constexpr std::size_t kShown = 4;
  std::vector<std::string> waits;
  std::string found;
  std::source_location at;
  for (unsigned t = 0; t < threads_.size() && waits.size() < kShown; ++t) {
    if (threads_[t].state != State::waiting) continue;
    const std::string wait = describe(threads_[t].arrival);
    if (std::find(waits.begin(), waits.end(), wait) != waits.end()) continue;
    if (waits.empty()) {
      make_running(t);
      at = threads_[t].arrival.at;
    }
    waits.push_back(wait);
    found += (found.empty() ? "" : ", ") + thread_name(t) + " in " + wait;
  }
  kernel_error("threads wait for each other", at, "every lane of a mask, or every thread, at the same place", found);
}

void Block::abandon() {
  abandoning_ = true;
  for (unsigned t = 0; t < threads_.size(); ++t) {
    if (threads_[t].state != State::ended) resume(t);
  }
  abandoning_ = false;
}

Dim3 Block::thread_index(unsigned thread) const {
  const Dim3& b = launch_->block;
  return {thread % b.x, thread / b.x % b.y, thread / (b.x * b.y)};
}

std::string Block::thread_name(unsigned thread) const { return "thread " + coordinates(thread_index(thread)); }

SharedArray* Block::add_array(const char* name, std::size_t element_bytes, std::size_t count,
                              const std::source_location& at) {
  std::size_t total = element_bytes * count;
  for (const SharedArray& a : arrays_) total += a.bytes();
  if (total > launch_->shared_limit) {
    kernel_error("too much shared memory", at, "at most " + std::to_string(launch_->shared_limit) + " bytes a block",
                 std::to_string(total));
  }
  SharedArray& array = arrays_.emplace_back(name, at, element_bytes, count);
  array.begin_block(block_epoch_);
  return &array;
}

SharedArray* Block::shared_array(const char* name, std::size_t element_bytes, std::size_t count,
                                 const std::source_location& at) {
  for (SharedArray& a : arrays_) {
    if (&a != dynamic_ && same_place(a.declared(), at)) return &a;
  }
  return add_array(name, element_bytes, count, at);
}

SharedArray* Block::dynamic_shared_array(const char* name, std::size_t element_bytes, const std::source_location& at) {
  if (dynamic_ == nullptr) dynamic_ = add_array(name, element_bytes, launch_->dynamic_shared_bytes / element_bytes, at);
  return dynamic_;
}

}  // namespace gf::simt
