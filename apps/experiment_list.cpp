#include "apps/experiment_list.h"

#include <map>
#include <set>

#include <fmt/format.h>

#include "apps/experiment_stage.h"
#include "apps/progress.h"
#include "kernels/error.h"

namespace gf {

std::string row_text(const RowPlan& row, const RowStatus& s) {
  std::string text = row.id;
  if (s.state == RowState::failed) return text + "  FAILED: " + s.error;
  if (s.state == RowState::missing) return text + "  missing";
  const auto add = [&](const char* part, const std::optional<double>& dice) {
    if (dice) text += fmt::format("  {} {:.4f}", part, *dice);
  };
  text += "  Dice";
  add("validation", s.validation_dice);
  add("test", s.test_dice);
  if (!s.differences.empty()) text += fmt::format("  MADE WITH OTHER SETTINGS: {}", fmt::join(s.differences, ", "));
  return text;
}

Remaining remaining_time(const ExperimentPlan& plan) {
  std::set<std::size_t> needed;
  for (const RowPlan& row : plan.rows) {
    if (row_status(plan, row).state != RowState::missing) continue;
    const StagePlan& s = plan.stages[row.stage];
    needed.insert(row.stage);
    if (s.teacher) needed.insert(*s.teacher);
    if (s.paraphrasers) needed.insert(*s.paraphrasers);
  }
  // By group, else by kind alone.
  struct Mean {
    double sum = 0;
    int n = 0;
  };
  std::map<std::string, Mean> groups, kinds;
  std::map<std::size_t, StageStatus> open;
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StageStatus status = stage_status(plan, i);
    if (status.state != StageState::done) {
      if (needed.contains(i)) open[i] = status;
      continue;
    }
    for (Mean* m : {&groups[plan.stages[i].group], &kinds[name_of(plan.stages[i].kind)]}) {
      m->sum += status.seconds;
      ++m->n;
    }
  }
  Remaining r;
  for (const auto& [i, status] : open) {
    ++r.stages;
    Mean m = groups[plan.stages[i].group];
    if (m.n == 0) m = kinds[name_of(plan.stages[i].kind)];
    if (m.n == 0)
      ++r.unknown;
    else
      r.seconds += std::max(0.0, m.sum / m.n - status.seconds);
  }
  return r;
}

std::string remaining_text(const Remaining& r) {
  if (r.stages == 0) return {};
  if (r.unknown == r.stages) return fmt::format("{} runs to go", r.stages);
  return fmt::format("{} runs to go, about {}{}", r.stages, duration_text(r.seconds),
                     r.unknown > 0 ? fmt::format(" and {} that nothing is known of", r.unknown) : "");
}

int print_plan(const ExperimentPlan& plan) {
  int done = 0, failed = 0;
  for (const RowPlan& row : plan.rows) {
    const RowStatus status = row_status(plan, row);
    done += status.state == RowState::done;
    failed += status.state == RowState::failed;
    std::string text = row_text(row, status);
    const StageStatus stage = stage_status(plan, row.stage);
    if (status.state == RowState::missing && stage.state == StageState::begun)
      text += fmt::format(", begun ({})", duration_text(stage.seconds));
    fmt::print("{}\n", text);
  }
  const std::string remaining = remaining_text(remaining_time(plan));
  fmt::print("{} of {} rows done, {} failed{}{}\n", done, plan.rows.size(), failed, remaining.empty() ? "" : "; ",
             remaining);
  return failed > 0 ? static_cast<int>(ErrorKind::some_cases_failed) : 0;
}

}  // namespace gf
