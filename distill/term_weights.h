#pragma once
// The weights of a run's distillation terms: those of the configuration, times a ramp that changes from step to step;
// or chosen by the run itself, once: at a given step each weight becomes such that the norm of its term's gradient over
// the student's parameters is a stated multiple of the supervised loss's. From that step on, which is the first with
// the new weights, they are fixed. What is compared is one batch (the first micro-batch), without the ramp. The same
// quotient, taken at every step, weighs the adversarial term of Esser et al. 2021 (VQGAN).
//
// Chosen weights are on the device, where a captured step (engine/step_graph.h) reads them, and a buffer of the module:
// with it they are saved, and a run resumes with them.
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "distill/objective.h"
#include "engine/nn/module.h"

namespace gf {

struct TermWeight {
  std::string name;
  double weight;
};

struct AutoWeights {
  std::int64_t step = 0;                 // counted from 1; 0: off
  std::map<std::string, double> shares;  // of a term's gradient norm over the supervised one; 1 where none is given
};

struct RawTerm {
  std::string name;
  Tensor value;  // scalar on the tape, without its weight
};

class TermWeights : public Module {
 public:
  using Ramp = std::function<double(std::int64_t step)>;  // of the step from 0; empty: always 1

  // Terms of weight 0 are off, and stay so.
  TermWeights(const std::vector<TermWeight>& terms, Ramp ramp, AutoWeights automatic, const Device& device);

  // Whether this step, from 0, is the one that chooses: it reads on the host, and is not captured.
  bool chooses_at(std::int64_t step) const { return automatic_.step > 0 && step + 1 == automatic_.step; }
  bool automatic() const { return automatic_.step > 0; }
  // Before the objective of a step.
  void begin_step(std::int64_t step);
  // Adds the terms to an objective that holds the supervised ones and nothing else. Those that are off are left out.
  void add_to(Objective& objective, const std::vector<RawTerm>& terms, const std::vector<NamedTensor>& parameters);
  // A line for people about a choice that was just made; then empty.
  std::string remark() { return std::exchange(remark_, {}); }
  const std::vector<TermWeight>& terms() const { return terms_; }

 private:
  struct Live {
    std::size_t index;  // in terms_
    Tensor value;
  };
  void choose(const Objective& supervised, const std::vector<Live>& terms, const std::vector<NamedTensor>& parameters);

  std::vector<TermWeight> terms_;
  Ramp ramp_;
  AutoWeights automatic_;
  Tensor ramp_value_;  // of this step, on the device; empty without a ramp
  Tensor chosen_;      // (1,1,1,terms), on the device; empty where the weights are those of the configuration
  bool known_ = false, choosing_ = false;
  std::string remark_;
};

// Rises linearly from 0 and is 1 from step `steps` on; empty for 0 steps.
TermWeights::Ramp linear_ramp(std::int64_t steps);

}  // namespace gf
