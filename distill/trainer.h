#pragma once
// The one training loop, on the device the task's model is on: batches, objective, backward, clipping, optimiser,
// schedule, validation, checkpoints. A run stopped at any moment resumes to the same bits: the checkpoint holds
// parameters, moments, step, random position and loader position, and the opponent's parameters, state and moments.
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "distill/step_runner.h"
#include "engine/optim/schedule.h"

namespace gf {

// What becomes of a run whose loss or gradient is not finite. Either way its batch is kept beside the checkpoints, and
// what is known of its cause is told. lower_lr: back to latest.gfm, with half the learning rate from there on, up to
// kMostHalvings times.
enum class OnNotFinite { stop, lower_lr };
constexpr int kMostHalvings = 10;

struct TrainerOptions {
  std::int64_t max_iterations = 0;
  StepOptions step;
  OptimizerOptions optimizer;
  Schedule schedule;
  std::int64_t eval_every = 0;  // steps; 0: only at the end
  std::int64_t save_every = 0;  // steps; 0: only at the end
  double save_minutes = 10;     // and after so many minutes; 0: never by time
  std::uint64_t seed = 1;
  bool measure_shares = true;  // gradient share of each term on the first batch of an epoch
  std::string checkpoints;     // folder for latest.gfm, best.gfm, final.gfm
  OnNotFinite on_not_finite = OnNotFinite::stop;
};

class TrainingObserver {
 public:
  virtual ~TrainingObserver() = default;
  virtual void started(std::int64_t /*first_step*/) {}  // > 0 for a resumed run
  virtual void stepped(const StepReport&) {}            // in order; on a GPU a step or two late, but before a pause
  virtual void note(const std::string& /*line*/) {}
  virtual void went_back(std::int64_t /*step*/) {}  // after a step that was not finite; steps come again from there on
  virtual void pausing() {}                         // validation or a checkpoint begins
  virtual void resuming() {}                        // and has ended
  virtual void validated(std::int64_t /*step*/, const Validation&, bool /*best*/) {}
  virtual void saved(std::int64_t /*step*/, const std::string& /*file*/) {}
};

struct TrainingResult {
  std::int64_t steps = 0;
  bool interrupted = false;  // the stop flag was seen; latest.gfm holds the state
  std::optional<double> best_score;
  std::int64_t best_step = 0;
};

// `resume_from` empty starts anew. `stop` (may be null) is looked at between steps. NaN or inf in the loss or the
// gradient is an error that names the term, the layer and the picture, unless options.on_not_finite goes on. Ends with
// final.gfm.
TrainingResult run_training(TrainingTask& task, BatchSource& batches, const TrainerOptions& options,
                            TrainingObserver& observer, const std::string& resume_from = {},
                            const std::atomic<bool>* stop = nullptr);

}  // namespace gf
