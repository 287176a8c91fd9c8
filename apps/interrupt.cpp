#include "apps/interrupt.h"

#include <unistd.h>
#include <csignal>

namespace gf {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void handle(int) {
  if (stop.exchange(true)) _exit(130);
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

}  // namespace gf
