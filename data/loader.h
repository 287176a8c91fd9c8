#pragma once
// Batches for training: decoded, augmented and put together by worker threads ahead of the training loop. Which batch
// comes next depends on (data set, options.seed, position) alone, never on the number of threads or their timing.
#include <cstdint>
#include <memory>
#include <vector>

#include "data/augment.h"
#include "data/batch_source.h"
#include "data/dataset.h"
#include "engine/tensor.h"

namespace gf {

struct LoaderOptions {
  int batch_size = 4;
  bool shuffle = true;           // anew each epoch
  bool drop_last = true;         // leave out the last batch of an epoch when it is not full (shapes stay the same)
  int threads = 1;               // workers, at least 1
  int prefetch = 4;              // batches held ready at most
  std::int64_t cache_mb = 1024;  // decoded cases are kept up to this; the others are decoded at every use
  std::uint64_t seed = 0;
  Augmentation augmentation;
  // Leave it to finish_augmentation(): workers only draw what is to happen. Not with filters.
  bool augment_later = false;
  // Change the pictures as they are stored and resize them then, as TransUNet does, not the other way round: decoded
  // cases are kept at full size. Of Preprocessing::resizes() only, and not with augment_later.
  bool augment_before_resize = false;
};

// Batches of one part of a data set. Those of Split::unlabelled hold no labels (an empty tensor), and no label file of
// that part is ever opened.
class Loader : public BatchSource {
 public:
  // Starts the workers. Errors (bad_data): no samples, or fewer than one batch with drop_last; a case without a label.
  // Usage error for options that exclude each other.
  Loader(const Dataset& dataset, Split split, const LoaderOptions& options);
  ~Loader() override;
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  Batch next() override;  // pictures of different padded sizes in one batch are an error
  LoaderPosition position() const override;
  void seek(LoaderPosition position) override;
  std::int64_t steps_per_epoch() const override;
  std::string name_of_sample(const Batch& batch, std::size_t i) const override;

  std::int64_t sample_count() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gf
