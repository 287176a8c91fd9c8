#pragma once
// One training run from its first step to its last: progress, log, checkpoints, Ctrl-C. Shared by the subcommands that
// train; they bring the task.
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/config.h"
#include "apps/run_folder.h"
#include "data/loader.h"
#include "distill/trainer.h"

namespace gf {

struct Stage {
  std::string subcommand;           // for the line that says how to resume
  std::string title;                // of the progress bar
  std::vector<std::string> terms;   // of the loss: columns of metrics.csv
  std::vector<std::string> values;  // of the validation and of an opponent: likewise
  int max_iterations = 0, epochs = 0;
  OptimConfig optim;
  std::vector<std::string> notes = {};  // first lines of the log
};

// Resumes where the flags say so. An interrupted run has printed how to go on; its exit code is kInterrupted.
TrainingResult run_stage(const Stage& stage, TrainingTask& task, BatchSource& batches, RunFolder& folder,
                         const Config& config, const RunFlags& flags);

}  // namespace gf
