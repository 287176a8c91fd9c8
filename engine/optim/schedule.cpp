#include "engine/optim/schedule.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace gf {

double Schedule::at(double lr, std::int64_t step, std::int64_t total) const {
  if (name == "constant") return lr;
  if (name == "poly") {
    const double done = total > 0 ? static_cast<double>(step) / static_cast<double>(total) : 0.0;
    return lr * std::pow(std::max(0.0, 1.0 - done), power);
  }
  if (name == "step") {
    const auto passed = std::count_if(milestones.begin(), milestones.end(), [&](std::int64_t m) { return step >= m; });
    return lr * std::pow(gamma, static_cast<double>(passed));
  }
  throw Error(ErrorKind::usage, {"unknown schedule", "optim.schedule", "constant, poly, step", name, ""});
}

}  // namespace gf
