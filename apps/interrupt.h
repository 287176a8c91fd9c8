#pragma once
// Ctrl-C and SIGTERM ask a run to stop at the next step and save; a second one ends the program at once.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "kernels/error.h"

namespace gf {

constexpr int kInterrupted = static_cast<int>(ErrorKind::interrupted);  // the exit code

// Installs the handlers on first use.
const std::atomic<bool>& stop_requested();
// Whether a signal asked, and not a TimeLimit.
bool interrupted_by_signal();

// Asks the same before `seconds` have passed, and calls `over` (in a thread of its own) where they have passed
// nevertheless.
class TimeLimit {
 public:
  TimeLimit(double seconds, std::function<void()> over);
  ~TimeLimit();
  // From now on it asks this many seconds earlier, for work that does not look at stop_requested().
  void reserve(double seconds);

 private:
  using Clock = std::chrono::steady_clock;
  void watch();

  const Clock::time_point end_;
  const std::function<void()> over_;
  Clock::duration reserved_{0};
  bool ended_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread watcher_;
};

}  // namespace gf
