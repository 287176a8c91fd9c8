#pragma once
// What one training run computes. The trainer (trainer.h) is the one loop for all of them: supervised training, the
// paraphrasers, and distillation differ only in their task.
#include <map>
#include <string>

#include "data/batch_source.h"
#include "distill/opponent.h"
#include "engine/nn/module.h"
#include "engine/optim/flat_parameters.h"

namespace gf {

struct Validation {
  double score = 0;                      // higher is better; the best checkpoint is the one with the highest
  std::string text;                      // one line for people
  std::map<std::string, double> values;  // for metrics files: "val_dice", "val_dice_frontal", ...
};

class TrainingTask {
 public:
  virtual ~TrainingTask() = default;
  virtual Module& model() = 0;  // what is trained, and saved for use
  // What the optimiser changes and a run resumes from: the model under its own names, and whatever is trained beside
  // it under names that begin with kBesideModel (engine/io/checkpoint.h).
  virtual Module& trained() { return model(); }
  // The network that the losses' gradients are reported of.
  virtual Module& learner() { return model(); }
  // Called once, before the first step and before a run resumes: trained()'s parameters now lie there, for the run's
  // whole life.
  virtual void flattened(const FlatParameters& /*parameters*/) {}
  // Called before each step, counted from 0: whatever changes with the step goes to the device here, because the
  // objective of a captured step (engine/step_graph.h) is worked out once and replayed.
  virtual void begin_step(std::int64_t /*step*/) {}
  // Whether the objective of this step reads something on the host: it is then neither captured nor replayed.
  virtual bool reads_on_host(std::int64_t /*step*/) const { return false; }
  // The loss terms of a batch, with the model in training mode.
  virtual Objective objective(const Batch& batch, Random& random) = 0;
  // Behind the optimiser's step, and part of a captured one: whatever follows the parameters.
  virtual void end_step() {}
  // What a person should know of the step that was just queued; mostly nothing.
  virtual std::string remark() { return {}; }
  // Who is trained in turns with the model; null: nobody.
  virtual Opponent* opponent() { return nullptr; }
  // On the validation split, with the model in evaluation mode.
  virtual Validation validate() = 0;
  // What makes a checkpoint self-contained (model_file.h).
  virtual std::map<std::string, std::string> description() const = 0;
};

}  // namespace gf
