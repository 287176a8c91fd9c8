#include "distill/paraphrase.h"

#include <fmt/format.h>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "kernels/error.h"

namespace gf {

std::vector<std::string> paraphraser_terms(std::size_t pairs) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= pairs; ++i)
    for (const char* tap : {"shallow", "deep"}) names.push_back(tap + (i == 1 ? "" : std::to_string(i)));
  return names;
}

ParaphraseTask::ParaphraseTask(Paraphrasers& paraphrasers, Network& teacher, std::vector<TapPair> taps,
                               std::function<std::vector<Tensor>()> validation_images,
                               std::map<std::string, std::string> description, DType activations)
    : paraphrasers_(paraphrasers),
      teacher_(teacher),
      taps_(std::move(taps)),
      validation_images_(std::move(validation_images)),
      description_(std::move(description)),
      activations_(activations) {
  if (taps_.size() != paraphrasers_.size())
    fail("paraphrasers and taps do not match", "ParaphraseTask",
         std::to_string(paraphrasers_.size()) + " pairs of taps", std::to_string(taps_.size()));
  teacher_.to(paraphrasers_.device());
  teacher_.eval();
  teacher_.freeze();
}

std::vector<ParaphraseTask::Lesson> ParaphraseTask::teach(const Tensor& image, DType activations) {
  const NoGrad off;
  const MemoryTag tag("teacher");
  Random unused;  // a frozen teacher in evaluation mode drops nothing
  const NetworkOutput out = run_network(teacher_, image, unused, activations);
  std::vector<Lesson> lessons;
  for (std::size_t i = 0; i < taps_.size(); ++i) {
    lessons.push_back({paraphrasers_.pair(i).shallow, out.tap(taps_[i].shallow)});
    lessons.push_back({paraphrasers_.pair(i).deep, out.tap(taps_[i].deep)});
  }
  return lessons;
}

Objective ParaphraseTask::objective(const Batch& batch, Random&) {
  const std::vector<Lesson> lessons = teach(batch.image, activations_);
  const std::vector<std::string> names = paraphraser_terms(taps_.size());
  Objective objective;
  for (std::size_t i = 0; i < lessons.size(); ++i)
    objective.add(names[i], 1, mse_loss(lessons[i].paraphraser.reconstruct(lessons[i].map), lessons[i].map));
  return objective;
}

// Relative error, so that taps of any scale compare: |reconstruction - map|^2 / |map|^2.
Validation ParaphraseTask::validate() {
  const NoGrad off;
  const std::vector<std::string> names = paraphraser_terms(taps_.size());
  std::vector<double> error(names.size(), 0.0), power(names.size(), 0.0);
  for (const Tensor& image : validation_images_()) {
    const std::vector<Lesson> lessons = teach(image.to(paraphrasers_.device()), DType::f32);
    for (std::size_t i = 0; i < lessons.size(); ++i) {
      const Tensor& map = lessons[i].map;
      error[i] += sum(square(lessons[i].paraphraser.reconstruct(map) - map)).item();
      power[i] += sum(square(map)).item();
    }
  }
  Validation v;
  v.text = "relative reconstruction error: ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    const double relative = power[i] > 0 ? error[i] / power[i] : 0;
    v.score -= relative;
    v.text += fmt::format("{}{} {:.4f}", i == 0 ? "" : ", ", names[i], relative);
    v.values["val_error_" + names[i]] = relative;
  }
  return v;
}

}  // namespace gf
