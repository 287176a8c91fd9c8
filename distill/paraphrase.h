#pragma once
// Unsupervised training of the paraphrasers on a frozen teacher in evaluation mode: mean squared reconstruction error
// of the shallow and the deep tap of every pair of layers, all in one run.
#include <functional>

#include "distill/paraphraser.h"
#include "distill/task.h"
#include "models/network.h"

namespace gf {

// Names of the losses, "shallow" and "deep" of the first pair, "shallow2", "deep2", ... of the others. Validation puts
// "val_error_" before them.
std::vector<std::string> paraphraser_terms(std::size_t pairs);

class ParaphraseTask : public TrainingTask {
 public:
  // One pair of taps for each of the paraphrasers'. Freezes the teacher. `validation_images` gives the image batches of
  // the validation split. Activations in bf16 are for training; validation is float32 always.
  ParaphraseTask(Paraphrasers& paraphrasers, Network& teacher, std::vector<TapPair> taps,
                 std::function<std::vector<Tensor>()> validation_images, std::map<std::string, std::string> description,
                 DType activations = DType::f32);
  Module& model() override { return paraphrasers_; }
  Objective objective(const Batch& batch, Random& random) override;
  Validation validate() override;
  std::map<std::string, std::string> description() const override { return description_; }

 private:
  // A paraphraser and the map it is to reconstruct.
  struct Lesson {
    const Paraphraser& paraphraser;
    Tensor map;
  };
  std::vector<Lesson> teach(const Tensor& image, DType activations);  // in the order of paraphraser_terms()

  Paraphrasers& paraphrasers_;
  Network& teacher_;
  std::vector<TapPair> taps_;
  std::function<std::vector<Tensor>()> validation_images_;
  std::map<std::string, std::string> description_;
  DType activations_;
};

}  // namespace gf
