// graphflow bench: kernels and whole training steps, timed on this machine.
#include "apps/bench.h"

#include <algorithm>
#include <chrono>

namespace gf {

Timing time_runs(const Device& device, const std::function<void()>& run, int at_least, double seconds,
                 const std::function<void()>& before) {
  using Clock = std::chrono::steady_clock;
  const auto now = [] { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); };
  run();
  wait_for(device);
  std::vector<double> times;
  for (const double begin = now(); static_cast<int>(times.size()) < at_least || now() - begin < seconds;) {
    if (before) before();
    wait_for(device);
    const double start = now();
    run();
    wait_for(device);
    times.push_back(now() - start);
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1) + 0.5)];
  };
  return {at(0.5), at(0.1), at(0.9)};
}

}  // namespace gf
