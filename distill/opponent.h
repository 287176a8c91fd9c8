#pragma once
// A second player that is trained in turns with a task's model: after every step of the model's optimiser it takes one
// of its own, on what the model's objective has just seen. An adversarial task's discriminator.
#include <string>
#include <vector>

#include "distill/objective.h"
#include "engine/nn/module.h"
#include "engine/optim/optimizer.h"
#include "engine/random.h"

namespace gf {

class Opponent {
 public:
  virtual ~Opponent() = default;
  virtual Module& model() = 0;
  virtual OptimizerOptions optimizer() const = 0;
  virtual double lr(std::int64_t step) const = 0;  // of the step from 0

  // A step begins: batches that an interrupted one has left are no part of it.
  virtual void begin() = 0;
  struct Turn {
    Tensor loss;                  // scalar on the tape
    std::vector<Watched> values;  // to report; constants
  };
  // Its loss on the oldest batch that the task's objective has seen since begin() and turn() has not. Part of the
  // captured step.
  virtual Turn turn(Random& random) = 0;

  // What a person should know after a step, from its reported values; mostly nothing. Steps come in order.
  virtual std::string remark(const std::vector<WatchedReport>& /*values*/) { return {}; }
};

}  // namespace gf
