#pragma once
// What there is of an experiment, for people.
#include <string>

#include "apps/experiment_plan.h"
#include "apps/experiment_row.h"

namespace gf {

// "nuclei.ENet.alone.seed1  Dice val 0.812, test 0.801"
std::string row_text(const RowPlan& row, const RowStatus& status);

// Seconds that the missing rows will train, by what stages of their kind took; `unknown` counts stages that none like
// them has finished.
struct Remaining {
  double seconds = 0;
  int stages = 0, unknown = 0;
};
Remaining remaining_time(const ExperimentPlan& plan);
std::string remaining_text(const Remaining& remaining);

// Every row with its state. Returns the exit code: some_cases_failed where rows have failed.
int print_plan(const ExperimentPlan& plan);

}  // namespace gf
