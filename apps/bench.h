#pragma once
// What the two benchmarks share: timing on a device.
#include <functional>
#include <vector>

#include "engine/device.h"

namespace gf {

struct Timing {
  double median = 0, low = 0, high = 0;  // seconds; low and high: a tenth of the runs is faster, a tenth slower
};

// Times run() until it has run `at_least` times and for `seconds`, after one run to warm up; waits for the device
// before the clock is read. `before` (may be empty) runs before each and is not timed.
Timing time_runs(const Device& device, const std::function<void()>& run, int at_least = 5, double seconds = 0.3,
                 const std::function<void()>& before = {});

}  // namespace gf
