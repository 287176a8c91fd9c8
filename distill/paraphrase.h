#pragma once
// Unsupervised training of the two paraphrasers on a frozen teacher in evaluation mode: mean squared reconstruction
// error of its shallow and its deep tap.
#include <functional>

#include "distill/paraphraser.h"
#include "distill/task.h"
#include "models/network.h"

namespace gf {

class ParaphraseTask : public TrainingTask {
 public:
  // Freezes the teacher. `validation_images` gives the image batches of the validation split. Activations in
  // bf16 are for training; validation is float32 always.
  ParaphraseTask(ParaphraserPair& paraphrasers, Network& teacher, TapPair taps,
                 std::function<std::vector<Tensor>()> validation_images, std::map<std::string, std::string> description,
                 DType activations = DType::f32);
  Module& model() override { return paraphrasers_; }
  Objective objective(const Batch& batch, Random& random) override;
  Validation validate() override;
  std::map<std::string, std::string> description() const override { return description_; }

 private:
  struct Maps {
    Tensor shallow, deep;
  };
  Maps teach(const Tensor& image, DType activations);

  ParaphraserPair& paraphrasers_;
  Network& teacher_;
  TapPair taps_;
  std::function<std::vector<Tensor>()> validation_images_;
  std::map<std::string, std::string> description_;
  DType activations_;
};

}  // namespace gf
