#pragma once
// A function on a stack of its own, which can stop in the middle and go on later: one simulated CUDA thread.
// Boost.Context does the switching; AddressSanitizer is told about every switch.
#include <boost/context/fiber.hpp>
#include <boost/context/stack_context.hpp>
#include <cstddef>

namespace gf::simt {

class Fiber {
 public:
  using Entry = void (*)(void* argument);

  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Prepares a run of entry(argument), which must not throw; the fiber must not be suspended. The stack is kept from
  // run to run.
  void start(Entry entry, void* argument);
  // Runs until the entry calls suspend() or returns.
  void resume();
  // Called by the running entry: goes back to resume()'s caller.
  void suspend();
  bool finished() const { return !context_; }

 private:
  boost::context::stack_context stack_;
  boost::context::fiber context_;  // the suspended entry
  boost::context::fiber caller_;   // resume()'s caller while the entry runs
  // AddressSanitizer's notes on both sides of a switch
  void* own_frames_ = nullptr;
  void* caller_frames_ = nullptr;
  const void* caller_stack_ = nullptr;
  std::size_t caller_stack_size_ = 0;
};

}  // namespace gf::simt
