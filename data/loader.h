#pragma once
// Batches for training: decoded, augmented and put together by worker threads ahead of the training loop. Which batch
// comes next depends on (data set, options.seed, position) alone, never on the number of threads or their timing.
#include <cstdint>
#include <memory>
#include <vector>

#include "data/augment.h"
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
  bool augment_later = false;  // leave it to finish_augmentation(): workers only draw what is to happen
};

// The batch that next() gives next. Saved with a checkpoint and given to seek(), it makes a resumed run see the batches
// the unbroken run would have seen.
struct LoaderPosition {
  std::int64_t epoch = 0, step = 0;
  bool operator==(const LoaderPosition&) const = default;
};

// What is still to happen to the pictures of a batch (kernels/augment.h); empty tensors where nothing is.
struct PendingAugmentation {
  Tensor pictures, outside;
  BatchChange batch;
};

struct Batch {
  Tensor image;                      // (n, h, w, c) f32
  Tensor label;                      // (n, h, w, 1) i32: class ids, and the ignore index where there is one
  std::vector<std::size_t> samples;  // indices into samples_of(dataset, split)
  LoaderPosition position;           // of this batch
  PendingAugmentation pending = {};
};

// Does what is pending, on the device the image and the label are on: the batch is then what a loader without
// augment_later gives, to the bit (but for gamma on a GPU, whose powers are rounded otherwise).
void finish_augmentation(Batch& batch);

class Loader {
 public:
  // Starts the workers. Errors (bad_data): no samples, or fewer than one batch with drop_last; a case without a label.
  Loader(const Dataset& dataset, Split split, const LoaderOptions& options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // The next batch; after the last of an epoch comes the first of the next. Rethrows what a worker threw while making
  // this batch: gf::Error naming the file (pictures of different padded sizes in one batch are such an error).
  Batch next();

  LoaderPosition position() const;
  void seek(LoaderPosition position);

  std::int64_t sample_count() const;
  std::int64_t steps_per_epoch() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gf
