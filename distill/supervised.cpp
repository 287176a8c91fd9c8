#include "distill/supervised.h"

#include "engine/ops/losses.h"

namespace gf {

void add_supervised_terms(Objective& objective, const SupervisedOptions& o, const Tensor& logits, const Tensor& label,
                          const Tensor& ce) {
  if (o.ce != 0) objective.add("ce", o.ce, ce ? ce : cross_entropy(logits, label, o.class_weights, o.ignore_index));
  if (o.dice != 0) objective.add("dice", o.dice, dice_loss(logits, label, o.ignore_index));
}

SupervisedTask::SupervisedTask(Network& network, SupervisedOptions options, std::function<Validation()> validate,
                               std::map<std::string, std::string> description)
    : network_(network),
      options_(std::move(options)),
      validate_(std::move(validate)),
      description_(std::move(description)) {
  options_.to(network_.device());
}

Objective SupervisedTask::objective(const Batch& batch, Random& random) {
  Objective objective;
  add_supervised_terms(objective, options_, run_network(network_, batch.image, random, options_.activations).logits,
                       batch.label);
  return objective;
}

}  // namespace gf
