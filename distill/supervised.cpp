#include "distill/supervised.h"

#include "engine/ops/losses.h"

namespace gf {

void add_supervised_terms(Objective& objective, const SupervisedOptions& o, const Tensor& logits, const Tensor& label,
                          const Tensor& ce) {
  if (o.ce != 0)
    objective.add("ce", o.ce,
                  ce ? ce : cross_entropy(logits, label, o.class_weights_on(logits.device()), o.ignore_index));
  if (o.dice != 0) objective.add("dice", o.dice, dice_loss(logits, label, o.ignore_index));
}

SupervisedTask::SupervisedTask(Network& network, SupervisedOptions options, std::function<Validation()> validate,
                               std::map<std::string, std::string> description)
    : network_(network),
      options_(std::move(options)),
      validate_(std::move(validate)),
      description_(std::move(description)) {}

Objective SupervisedTask::objective(const Batch& batch, std::int64_t, Random& random) {
  Objective objective;
  add_supervised_terms(objective, options_, network_.forward(batch.image, random).logits, batch.label);
  return objective;
}

}  // namespace gf
