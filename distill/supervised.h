#pragma once
// Supervised training of a segmentation network: weighted cross entropy plus optional soft Dice.
#include <functional>

#include "distill/task.h"
#include "models/network.h"

namespace gf {

struct SupervisedOptions {
  double ce = 1, dice = 0;
  Tensor class_weights = {};  // (1,1,1,classes) or empty
  int ignore_index = -1;

  Tensor class_weights_on(const Device& device) const { return class_weights ? class_weights.to(device) : Tensor(); }
};

// Adds "ce" and "dice" to an objective; labels are the batch's. `ce` is the cross entropy where another loss's kernel
// has made it already.
void add_supervised_terms(Objective& objective, const SupervisedOptions& options, const Tensor& logits,
                          const Tensor& label, const Tensor& ce = {});

class SupervisedTask : public TrainingTask {
 public:
  SupervisedTask(Network& network, SupervisedOptions options, std::function<Validation()> validate,
                 std::map<std::string, std::string> description);
  Module& model() override { return network_; }
  Objective objective(const Batch& batch, std::int64_t step, Random& random) override;
  Validation validate() override { return validate_(); }
  std::map<std::string, std::string> description() const override { return description_; }

 private:
  Network& network_;
  SupervisedOptions options_;
  std::function<Validation()> validate_;
  std::map<std::string, std::string> description_;
};

}  // namespace gf
