#include "apps/stage.h"

#include <exception>

#include <fmt/format.h>

#include "apps/interrupt.h"
#include "apps/one_line.h"
#include "apps/run_observer.h"
#include "apps/session.h"
#include "kernels/error.h"

namespace gf {
namespace {

// Whoever looks at the folder later sees why there is no more. A full disk must not hide the error itself.
void note_failure(RunFolder& folder, const std::string& message) try {
  folder.log("failed: " + one_line(message));
} catch (const Error&) {
}

}  // namespace

TrainingResult run_stage(const Stage& stage, TrainingTask& task, BatchSource& batches, RunFolder& folder,
                         const Config& config, const RunFlags& flags) {
  const std::int64_t steps = total_steps(stage.max_iterations, stage.epochs, batches);
  const bool part = !flags.part_of.empty();
  RunObserver observer(part ? flags.part_of : stage.title, folder, steps, config.train.log_every, stage.terms,
                       stage.values,
                       flags.quiet ? Talk::nothing
                       : part      ? Talk::bar
                                   : Talk::all);
  for (const std::string& line : stage.notes) observer.note(line);
  const TrainingResult result = [&] {
    try {
      return run_training(task, batches, trainer_options(config, stage.optim, steps, folder.checkpoints()), observer,
                          resume_file(folder, flags), &stop_requested());
    } catch (const std::exception& e) {
      note_failure(folder, e.what());
      throw;
    }
  }();
  observer.finish();
  if (result.interrupted && !part)
    fmt::print(stderr, "interrupted after step {}; saved {}/latest.gfm. Go on with:\n  graphflow {} --resume -o {}\n",
               result.steps, folder.checkpoints(), stage.subcommand, config.output.dir);
  return result;
}

}  // namespace gf
