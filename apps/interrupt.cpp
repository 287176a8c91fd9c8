#include "apps/interrupt.h"

#include <unistd.h>
#include <csignal>

namespace gf {
namespace {

std::atomic<bool> stop{false}, signalled{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void handle(int) {
  if (signalled.exchange(true)) _exit(130);
  stop = true;
}

}  // namespace

const std::atomic<bool>& stop_requested() {
  static const bool installed = [] {
    std::signal(SIGINT, handle);
    std::signal(SIGTERM, handle);
    return true;
  }();
  (void)installed;
  return stop;
}

bool interrupted_by_signal() { return signalled; }

TimeLimit::TimeLimit(double seconds, std::function<void()> over)
    : end_(Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))),
      over_(std::move(over)),
      watcher_([this] { watch(); }) {}

TimeLimit::~TimeLimit() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  watcher_.join();
}

void TimeLimit::reserve(double seconds) {
  {
    const std::lock_guard lock(mutex_);
    reserved_ = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  changed_.notify_all();
}

void TimeLimit::watch() {
  std::unique_lock lock(mutex_);
  while (!ended_ && Clock::now() < end_) {
    if (Clock::now() >= end_ - reserved_) stop = true;
    changed_.wait_until(lock, stop ? end_ : end_ - reserved_);
  }
  if (ended_) return;
  lock.unlock();
  over_();
}

}  // namespace gf
