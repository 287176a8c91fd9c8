#pragma once
// Where a step's NaN or infinity came from: the step is made again with every op watched, on the batch it had.
#include <optional>
#include <string>

#include "distill/step_runner.h"

namespace gf {

struct NotFinitePlace {
  std::string what;             // "conv2d (forward) of layer encoder.c3, tensor [4,8,8,64]"; empty: not seen again
  std::size_t micro_batch = 0;  // where the search ended
  std::optional<std::size_t> sample;  // in that batch, where the tensor has as many pictures as the batch
  bool in_data = false;               // the picture itself is not finite: no learning rate helps
  bool in_opponent = false;           // in the discriminator's turn or parameters: no rate of the student's is to blame
};

// Leaves the parameters alone, but not their gradients nor the running statistics of batch norms and spectral norms.
NotFinitePlace find_not_finite(TrainingTask& task, const NotFiniteStep& step, std::uint64_t seed);

// image and label of every micro-batch (image0, label0, ...) and, as metadata, `what` and the names of the pictures; as
// the loader gave them, before what augmentation is left to the device.
void save_batches(const std::string& path, const NotFiniteStep& step, const BatchSource& source,
                  const std::string& what);

}  // namespace gf
