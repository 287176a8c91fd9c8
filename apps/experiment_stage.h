#pragma once
// Training one stage of an experiment in its run folder: from the start, on from where it stopped, or not at all.
// stage.json in the folder says with which settings it is made and how long it took:
//
//   {"format": "graphflow stage 1", "made_with": {...}, "seconds": 81.2, "since": ...}
//
// "since" (seconds of the clock) is there while a process is at work; after a kill the time up to the last checkpoint
// counts.
#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/commands.h"
#include "apps/experiment_plan.h"

namespace gf {

// What a stage's result depends on: {"kind", "settings", "split", "teacher": {...}, "paraphrasers": {...}}. "split" is
// "" before open_data().
nlohmann::json made_with(const ExperimentPlan& plan, std::size_t stage);
// "teacher optim.lr: 0.001 -> 0.0003", one a difference; none where the two agree.
std::vector<std::string> made_with_diff(const nlohmann::json& before, const nlohmann::json& now);

enum class StageState { missing, begun, done };
struct StageStatus {
  StageState state = StageState::missing;
  double seconds = 0;                    // of training so far
  std::vector<std::string> differences;  // from the settings it was made with
};
StageStatus stage_status(const ExperimentPlan& plan, std::size_t stage);

enum class StageOutcome { done, stopped, busy };  // busy: another process is at work on it

class StageRunner {
 public:
  StageRunner(const ExperimentPlan& plan, const ExperimentFlags& flags) : plan_(plan), flags_(flags) {}

  // Makes what the stage needs first, and the stage. A stage made with other settings is an error (usage), or made
  // anew with --overwrite. Throws what the stage throws, with its title in front.
  StageOutcome make(std::size_t stage);
  // Runs trained to their end by make(); any thread may ask.
  int finished() const { return finished_; }

 private:
  void check_settings(std::size_t stage);
  int train(const StagePlan& stage, bool resume);

  const ExperimentPlan& plan_;
  const ExperimentFlags& flags_;
  std::atomic<int> finished_{0};
  std::map<std::size_t, std::string> failed_;  // in this process: not tried again for the next row
};

}  // namespace gf
