#pragma once
// Mean Teacher (Tarvainen & Valpola, NeurIPS 2017), the usual baseline of semi-supervised segmentation. Nobody has to
// be trained before: the teacher is the running average of the student itself.
//
//   L = L_CE (+ L_Dice) + w(step) * weight * mean (softmax(z_S) - softmax(z_E))^2       over pixels and classes
//   theta_E = a theta_E + (1 - a) theta_S  after every step,  a = min(1 - 1 / (step + 1), decay), step from 0
//   w(step) = exp(-5 (1 - t)^2),  t = min(1, step / rampup_steps)
//
// Labels speak of the labelled pictures, the consistency of all. Student and average see a picture with normal noise of
// their own each, and drop channels of their own where the network has dropout; z_E is a constant. As in the authors'
// code the average works in training mode while it teaches: batch norms take the batch's statistics, and its running
// statistics are those of its own passes. It is the average that is validated and saved for use.
#include <functional>

#include "distill/supervised.h"
#include "distill/term_weights.h"

namespace gf {

struct MeanTeacherOptions {
  SupervisedOptions supervised;  // its activations are those of both networks
  double weight = 0.1;           // of the consistency, at the end of the ramp
  double decay = 0.99;
  std::int64_t rampup_steps = 0;  // 0: no ramp
  double noise = 0.1;             // standard deviation, in the pictures' unit; 0: none
  AutoWeights auto_weights = {};
};

// Rises as above; empty for 0 steps.
TermWeights::Ramp sigmoid_ramp(std::int64_t steps);
// a of the step from 0.
double average_decay(double decay, std::int64_t step);

// mean (softmax(student) - softmax(average))^2; the average's logits are constants. Both (n,h,w,classes) float32.
Tensor consistency_loss(const Tensor& student, const Tensor& average);

class MeanTeacherTask : public TrainingTask {
 public:
  // `average` is a network like `student`, on its device: it becomes a copy. Both live as long as the task.
  MeanTeacherTask(Network& student, Network& average, MeanTeacherOptions options, std::function<Validation()> validate,
                  std::map<std::string, std::string> description);
  Module& model() override { return average_; }
  Module& trained() override { return trained_; }
  Module& learner() override { return student_; }
  void flattened(const FlatParameters& parameters) override;
  void begin_step(std::int64_t step) override;
  bool reads_on_host(std::int64_t step) const override { return weights_.chooses_at(step); }
  Objective objective(const Batch& batch, Random& random) override;
  void end_step() override;
  std::string remark() override { return weights_.remark(); }
  Validation validate() override { return validate_(); }
  std::map<std::string, std::string> description() const override { return description_; }

 private:
  Tensor with_noise(const Tensor& image, Random& random) const;

  Network &student_, &average_;
  Module trained_;  // the average under its own names, untrained; the student beside it
  MeanTeacherOptions options_;
  TermWeights weights_;
  Tensor decay_;                          // a of this step, on the device
  const FlatParameters* flat_ = nullptr;  // the student's parameters,
  Tensor flat_average_;                   // and the average's, laid out alike
  std::function<Validation()> validate_;
  std::map<std::string, std::string> description_;
};

}  // namespace gf
