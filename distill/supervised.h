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
  DType activations = DType::f32;  // bf16: mixed precision in training; validation is float32 always

  void to(const Device& device) {
    if (class_weights) class_weights = class_weights.to(device);
  }
};

// Adds "ce" and "dice" to an objective; all on one device. `ce` is the cross entropy where another loss's kernel has
// made it already.
void add_supervised_terms(Objective& objective, const SupervisedOptions& options, const Tensor& logits,
                          const Tensor& label, const Tensor& ce = {});

class SupervisedTask : public TrainingTask {
 public:
  SupervisedTask(Network& network, SupervisedOptions options, std::function<Validation()> validate,
                 std::map<std::string, std::string> description);
  Module& model() override { return network_; }
  Objective objective(const Batch& batch, Random& random) override;
  Validation validate() override { return validate_(); }
  std::map<std::string, std::string> description() const override { return description_; }

 private:
  Network& network_;
  SupervisedOptions options_;
  std::function<Validation()> validate_;
  std::map<std::string, std::string> description_;
};

}  // namespace gf
