// graphflow experiment: data sets x teachers x students x methods x seeds, row by row, each row once.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/compare.h"
#include "apps/experiment_file.h"
#include "apps/experiment_list.h"
#include "apps/experiment_plan.h"
#include "apps/experiment_row.h"
#include "apps/experiment_stage.h"
#include "apps/file_lock.h"
#include "apps/interrupt.h"
#include "apps/session.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr double kLastWords = 0.3;  // seconds of a time limit

// "nuclei*seed1": the parts between stars in this order.
bool matches(const std::string& id, const std::string& pattern) {
  std::size_t at = 0;
  for (std::size_t begin = 0; begin <= pattern.size();) {
    const std::size_t end = std::min(pattern.find('*', begin), pattern.size());
    at = id.find(pattern.substr(begin, end - begin), at);
    if (at == std::string::npos) return false;
    at += end - begin;
    begin = end + 1;
  }
  return true;
}

void keep_rows(ExperimentPlan& plan, const std::vector<std::string>& only) {
  if (only.empty()) return;
  std::erase_if(plan.rows, [&](const RowPlan& row) {
    return std::none_of(only.begin(), only.end(), [&](const std::string& text) { return matches(row.id, text); });
  });
  if (plan.rows.empty())
    throw Error(ErrorKind::usage, {"no such row", fmt::format("--only {}", fmt::join(only, " --only ")),
                                   "a part of a row's name", "", "--list names them all"});
}

// Before anything is trained: nothing that is there may have been made with other settings.
void refuse_other_settings(const ExperimentPlan& plan) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& what, const std::vector<std::string>& differences) {
    if (!differences.empty()) lines.push_back(fmt::format("{}: {}", what, fmt::join(differences, ", ")));
  };
  for (const RowPlan& row : plan.rows) {
    add("row " + row.id, row_status(plan, row).differences);
    const StagePlan& s = plan.stages[row.stage];
    for (const std::optional<std::size_t>& i : {s.teacher, s.paraphrasers, std::optional(row.stage)})
      if (i) add("run " + plan.stages[*i].folder, stage_status(plan, *i).differences);
  }
  if (lines.empty()) return;
  std::sort(lines.begin(), lines.end());
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  const std::size_t all = lines.size();
  lines.resize(std::min<std::size_t>(all, 3));
  throw Error(ErrorKind::usage, {fmt::format("{} rows or runs were made with other settings", all), plan.output, "",
                                 fmt::format("{}{}", fmt::join(lines, "; "), all > lines.size() ? "; ..." : ""),
                                 "--overwrite makes them anew, -o takes another folder"});
}

// `remark`: on why rows are missing; may be empty.
int summary(const ExperimentPlan& plan, const std::string& remark) {
  std::size_t done = 0, failed = 0;
  for (const RowPlan& row : plan.rows) {
    const RowState state = row_status(plan, row).state;
    done += state == RowState::done;
    failed += state == RowState::failed;
  }
  const std::size_t missing = plan.rows.size() - done - failed;
  fmt::print("{} of {} rows done{}{}: {}/rows\n", done, plan.rows.size(),
             failed > 0 ? fmt::format(", {} failed (--retry-failed tries them again)", failed) : "",
             missing > 0 ? fmt::format(", {} missing", missing) : "", plan.output);
  if (missing > 0) {
    if (!remark.empty()) fmt::print("{}\n", remark);
    const std::string remaining = remaining_text(remaining_time(plan));
    fmt::print("the same command goes on{}{}\n", remaining.empty() ? "" : ": ", remaining);
  }
  if (interrupted_by_signal()) return kInterrupted;
  return failed > 0 ? static_cast<int>(ErrorKind::some_cases_failed) : 0;
}

// All rows there are, those of other processes and of other --only too.
void compare(const ExperimentPlan& plan) {
  bool done = false, tested = false;
  for (const RowPlan& row : plan.rows) {
    const RowStatus status = row_status(plan, row);
    done |= status.state == RowState::done;
    tested |= status.test_dice.has_value();
  }
  if (done) write_comparison({plan.output}, plan.output, {.split = tested ? "test" : "val", .metrics = {}});
}

class ExperimentRun {
 public:
  using Clock = std::chrono::steady_clock;

  ExperimentRun(const ExperimentPlan& plan, const ExperimentFlags& flags, const Device& device, Clock::time_point start)
      : plan_(plan), flags_(flags), device_(device), stages_(plan, flags) {
    const double gone = std::chrono::duration<double>(Clock::now() - start).count();
    if (flags.time_limit > 0)
      limit_ = std::make_unique<TimeLimit>(flags.time_limit - gone - kLastWords, [this] { give_up(); });
    reserve();
  }

  // Rows that another process is at work on are tried again after the others.
  void go() {
    std::vector<const RowPlan*> todo;
    for (const RowPlan& row : plan_.rows) todo.push_back(&row);
    while (!todo.empty() && !stop_requested()) {
      std::vector<const RowPlan*> busy;
      for (const RowPlan* row : todo)
        if (!stop_requested() && !finish(*row)) busy.push_back(row);
      if (busy.size() == todo.size() && !stop_requested()) std::this_thread::sleep_for(std::chrono::seconds(1));
      todo = std::move(busy);
    }
  }

  // Of a time limit that left no time for anything.
  std::string remark() const {
    if (flags_.time_limit <= 0 || interrupted_by_signal() || rows_ > 0 || stages_.finished() > 0) return {};
    return fmt::format("no run was finished: the time limit of {:g} s ended this call before", flags_.time_limit);
  }

 private:
  // False where another process holds it.
  bool finish(const RowPlan& row) {
    const RowStatus before = row_status(plan_, row);
    const bool again = (before.state == RowState::failed && flags_.retry_failed) || !before.differences.empty();
    if (before.state != RowState::missing && !again) return true;
    try {
      const StageOutcome outcome = stages_.make(row.stage);
      if (outcome != StageOutcome::done) return outcome != StageOutcome::busy;
      const std::optional<FileLock> lock = FileLock::take(plan_.stages[row.stage].folder + "/lock");
      if (!lock) return false;
      if (row_status(plan_, row).state == RowState::done && !again) return true;
      const auto json = evaluated_row(plan_, row, device_);
      if (!json) return true;
      write_row(plan_, row, *json);
    } catch (const std::exception& e) {
      write_row(plan_, row, failed_row(plan_, row, device_, e.what()));
    }
    ++rows_;
    tell(row);
    reserve();
    return true;
  }

  void tell(const RowPlan& row) const {
    const auto position =
        std::find_if(plan_.rows.begin(), plan_.rows.end(), [&](const auto& r) { return r.id == row.id; });
    fmt::print("[{}/{}] {}\n", position - plan_.rows.begin() + 1, plan_.rows.size(),
               row_text(row, row_status(plan_, row)));
    std::fflush(stdout);
  }

  // In the middle of what does not look at the clock. All files are whole at any moment, so nothing but the steps since
  // the last checkpoint is lost.
  [[noreturn]] void give_up() const {
    const int code = summary(plan_, remark());
    std::fflush(stdout);
    _exit(code);
  }

  // Time to finish what does not look at the clock: a step, a validation, a checkpoint, the scores of a row.
  void reserve() {
    if (!limit_) return;
    double longest = 0;
    for (const RowPlan& row : plan_.rows) longest = std::max(longest, row_status(plan_, row).evaluation_seconds);
    limit_->reserve(std::min(flags_.time_limit / 2, std::clamp(flags_.time_limit * 0.04, 1.0, 15.0) + longest));
  }

  const ExperimentPlan& plan_;
  const ExperimentFlags& flags_;
  const Device device_;
  StageRunner stages_;
  std::atomic<int> rows_{0};  // written by this call
  std::unique_ptr<TimeLimit> limit_;
};

}  // namespace

int experiment_command(const ExperimentFlags& flags) {
  const auto start = ExperimentRun::Clock::now();
  stop_requested();
  ExperimentFile file = load_experiment(flags.file);
  if (!flags.output.empty()) {
    file.output = flags.output;
    file.runs = flags.output + "/runs";
  }
  if (!flags.runs.empty()) file.runs = flags.runs;
  ExperimentPlan plan = plan_experiment(file, flags.sets, flags.data);
  keep_rows(plan, flags.only);
  for (const std::string& note : plan.notes) fmt::print(stderr, "note: {}\n", note);
  if (flags.list) return print_plan(plan);

  for (const StagePlan& s : plan.stages)
    if (s.config.train.amp == "bf16") require_bf16_device("train.amp = \"bf16\"", flags.device);
  const Device device = start_engine(flags.device, flags.threads, flags.quiet);
  open_data(plan);
  remove_stale_partials(plan.output + "/rows");
  if (!flags.overwrite) refuse_other_settings(plan);
  ExperimentRun run(plan, flags, device, start);
  run.go();
  if (!interrupted_by_signal()) compare(plan);
  return summary(plan, run.remark());
}

}  // namespace gf
