#include "distill/mean_teacher.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd.h"
#include "engine/io/checkpoint.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/ops/random.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"
#include "kernels/error.h"
#include "kernels/optimizer.h"

namespace gf {
namespace {

void copy(const std::vector<NamedTensor>& from, const std::vector<NamedTensor>& to) {
  if (from.size() != to.size())
    fail("the average is another network than the student", "MeanTeacherTask", std::to_string(from.size()) + " tensors",
         std::to_string(to.size()));
  for (std::size_t i = 0; i < from.size(); ++i) to[i].tensor.assign(from[i].tensor);
}

}  // namespace

TermWeights::Ramp sigmoid_ramp(std::int64_t steps) {
  if (steps <= 0) return {};
  return [steps](std::int64_t step) {
    const double left = 1 - std::min(1.0, static_cast<double>(step) / static_cast<double>(steps));
    return std::exp(-5 * left * left);
  };
}

double average_decay(double decay, std::int64_t step) { return std::min(1 - 1 / static_cast<double>(step + 1), decay); }

Tensor consistency_loss(const Tensor& student, const Tensor& average) {
  return mse_loss(softmax(student), softmax(average.detach()));
}

MeanTeacherTask::MeanTeacherTask(Network& student, Network& average, MeanTeacherOptions options,
                                 std::function<Validation()> validate, std::map<std::string, std::string> description)
    : student_(student),
      average_(average),
      options_(std::move(options)),
      weights_({{"consistency", options_.weight}}, sigmoid_ramp(options_.rampup_steps), options_.auto_weights,
               student.device()),
      decay_(Tensor::scalar(0.0f, student.device())),
      validate_(std::move(validate)),
      description_(std::move(description)) {
  options_.supervised.to(student_.device());
  copy(student_.parameters(), average_.parameters());
  copy(student_.buffers(), average_.buffers());
  trained_.adopt_untrained("", average_);
  trained_.adopt(std::string(kBesideModel) + "student", student_);
  trained_.adopt(kBeside, weights_);
}

void MeanTeacherTask::flattened(const FlatParameters& parameters) {
  flat_ = &parameters;
  flat_average_ = parameters.hold_twin(average_);
}

void MeanTeacherTask::begin_step(std::int64_t step) {
  weights_.begin_step(step);
  decay_.assign(Tensor::scalar(static_cast<float>(average_decay(options_.decay, step))));
}

Tensor MeanTeacherTask::with_noise(const Tensor& image, Random& random) const {
  if (options_.noise == 0) return image;
  return image + random_normal(image.shape(), 0, static_cast<float>(options_.noise), random, image.device());
}

Objective MeanTeacherTask::objective(const Batch& batch, Random& random) {
  const DType activations = options_.supervised.activations;
  const Tensor student = run_network(student_, with_noise(batch.image, random), random, activations).logits;
  const Tensor average = [&] {
    const NoGrad off;
    const MemoryTag tag("teacher");
    return run_network(average_, with_noise(batch.image, random), random, activations).logits;
  }();
  Objective objective;
  const std::int64_t labelled = batch.label.shape().n;
  const bool all_labelled = labelled == batch.image.shape().n;
  add_supervised_terms(objective, options_.supervised, all_labelled ? student : slice_images(student, 0, labelled),
                       batch.label);
  weights_.add_to(objective, {{"consistency", consistency_loss(student, average)}}, student_.parameters());
  return objective;
}

void MeanTeacherTask::end_step() {
  if (!flat_) fail("the average has no buffer", "MeanTeacherTask::end_step", "flattened() before it", "");
  on(decay_.device(),
     [&](const auto& d) { ema_step(d, 0.0f, flat_->values().view(), flat_average_.mutable_view(), decay_.view()); });
}

}  // namespace gf
