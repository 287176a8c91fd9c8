#pragma once
// SGD with momentum, Adam, AdamW over FlatParameters (kernels/optimizer.h has the formulas; PyTorch's, step by step).
// A parameter that got no gradient in a step is left alone.
#include <memory>
#include <string>
#include <vector>

#include "engine/optim/flat_parameters.h"
#include "kernels/optimizer.h"

namespace gf {

struct OptimizerOptions {
  std::string name = "adam";  // sgd, adam, adamw
  double lr = 1e-3;
  double momentum = 0.9;  // sgd
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;
};

class Optimizer {
 public:
  Optimizer(FlatParameters& parameters, const OptimizerOptions& options);

  void step(double lr);  // lr of this step, from a schedule; uses the gradients that have arrived
  // The same with lr, step and gradient norm read where the kernel runs: all three are given, and the caller counts
  // the steps (set_steps), since a replayed step does not come through here.
  void step(const StepScalars& scalars);
  std::int64_t steps() const { return steps_; }

  // State for checkpoints: flat buffers by name ("exp_avg", "exp_avg_sq" or "momentum") and the step count.
  struct State {
    std::string name;
    Tensor buffer;
  };
  const std::vector<State>& state() const { return state_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }

 private:
  void apply(double lr, std::int64_t step, const StepScalars& scalars);

  FlatParameters& parameters_;
  OptimizerOptions options_;
  std::vector<State> state_;
  std::int64_t steps_ = 0;
};

}  // namespace gf
