#pragma once
// Learning-rate schedules: a function of the step (0-based) and the total number of steps.
#include <cstdint>
#include <string>
#include <vector>

namespace gf {

struct Schedule {
  std::string name = "poly";                  // constant, poly, step
  double power = 0.9;                         // poly: lr * (1 - step/total)^power
  std::vector<std::int64_t> milestones = {};  // step: lr * gamma^(milestones passed)
  double gamma = 0.1;

  double at(double lr, std::int64_t step, std::int64_t total) const;
};

}  // namespace gf
