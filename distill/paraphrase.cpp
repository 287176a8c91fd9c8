#include "distill/paraphrase.h"

#include <fmt/format.h>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"

namespace gf {

ParaphraseTask::ParaphraseTask(ParaphraserPair& paraphrasers, Network& teacher, TapPair taps,
                               std::function<std::vector<Tensor>()> validation_images,
                               std::map<std::string, std::string> description, DType activations)
    : paraphrasers_(paraphrasers),
      teacher_(teacher),
      taps_(std::move(taps)),
      validation_images_(std::move(validation_images)),
      description_(std::move(description)),
      activations_(activations) {
  teacher_.to(paraphrasers_.device());
  teacher_.eval();
  teacher_.freeze();
}

ParaphraseTask::Maps ParaphraseTask::teach(const Tensor& image, DType activations) {
  const NoGrad off;
  const MemoryTag tag("teacher");
  Random unused;  // a frozen teacher in evaluation mode drops nothing
  const NetworkOutput out = run_network(teacher_, image, unused, activations);
  return {out.tap(taps_.shallow), out.tap(taps_.deep)};
}

Objective ParaphraseTask::objective(const Batch& batch, Random&) {
  const Maps maps = teach(batch.image, activations_);
  Objective objective;
  objective.add("shallow", 1, mse_loss(paraphrasers_.shallow.reconstruct(maps.shallow), maps.shallow));
  objective.add("deep", 1, mse_loss(paraphrasers_.deep.reconstruct(maps.deep), maps.deep));
  return objective;
}

// Relative error, so that taps of any scale compare: |reconstruction - map|^2 / |map|^2.
Validation ParaphraseTask::validate() {
  const NoGrad off;
  double error_shallow = 0, error_deep = 0, power_shallow = 0, power_deep = 0;
  for (const Tensor& image : validation_images_()) {
    const Maps maps = teach(image.to(paraphrasers_.device()), DType::f32);
    error_shallow += sum(square(paraphrasers_.shallow.reconstruct(maps.shallow) - maps.shallow)).item();
    error_deep += sum(square(paraphrasers_.deep.reconstruct(maps.deep) - maps.deep)).item();
    power_shallow += sum(square(maps.shallow)).item();
    power_deep += sum(square(maps.deep)).item();
  }
  const double shallow = power_shallow > 0 ? error_shallow / power_shallow : 0;
  const double deep = power_deep > 0 ? error_deep / power_deep : 0;
  return {-(shallow + deep),
          fmt::format("relative reconstruction error: shallow {:.4f}, deep {:.4f}", shallow, deep),
          {{"val_error_shallow", shallow}, {"val_error_deep", deep}}};
}

}  // namespace gf
