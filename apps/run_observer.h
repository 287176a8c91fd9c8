#pragma once
// What a training run shows and leaves behind while it goes: progress bar, log.txt, metrics.csv.
#include <optional>
#include <string>
#include <vector>

#include "apps/metrics_log.h"
#include "apps/progress.h"
#include "apps/run_folder.h"
#include "distill/trainer.h"

namespace gf {

// What is printed; the files are written in any case. bar: on a terminal, without notes.
enum class Talk { all, bar, nothing };

class RunObserver : public TrainingObserver {
 public:
  // `terms` are the names of the loss terms, `values` those of the validation and of an opponent: together the columns
  // of metrics.csv.
  RunObserver(std::string title, RunFolder& folder, std::int64_t total, int log_every, std::vector<std::string> terms,
              std::vector<std::string> values, Talk talk);
  void started(std::int64_t first_step) override;
  void went_back(std::int64_t step) override;
  void stepped(const StepReport& report) override;
  void pausing() override { progress_->pause(); }
  void resuming() override { progress_->resume(); }
  void validated(std::int64_t step, const Validation& validation, bool best) override;
  void saved(std::int64_t step, const std::string& file) override;
  void note(const std::string& line) override;
  void finish() { progress_.reset(); }

 private:
  std::string title_;
  RunFolder& folder_;
  std::int64_t total_;
  int log_every_;
  std::vector<std::string> columns_;
  Talk talk_;
  std::optional<Progress> progress_;
  std::optional<MetricsLog> log_;
};

}  // namespace gf
