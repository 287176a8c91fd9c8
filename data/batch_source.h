#pragma once
// Where a training loop gets its batches: one loader (loader.h), or a labelled and an unlabelled one together
// (paired_loader.h).
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "kernels/augment.h"

namespace gf {

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
  Tensor label;                      // (m, h, w, 1) i32: class ids, and the ignore index where there is one. m < n: the
                                     // first m pictures are labelled, the others are not
  std::vector<std::size_t> samples;  // indices into samples_of(dataset, split), those of the labelled first
  LoaderPosition position;           // of this batch
  PendingAugmentation pending = {};
};

// Does what is pending, on the device the image and the label are on: the batch is then what a loader without
// augment_later gives, to the bit (but for gamma on a GPU, whose powers are rounded otherwise).
void finish_augmentation(Batch& batch);

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  // The next batch; after the last of an epoch comes the first of the next. Rethrows what a worker threw while making
  // this batch: gf::Error naming the file.
  virtual Batch next() = 0;
  virtual LoaderPosition position() const = 0;
  virtual void seek(LoaderPosition position) = 0;
  virtual std::int64_t steps_per_epoch() const = 0;
  // Which picture of the data set the i-th of this batch is, for messages.
  virtual std::string name_of_sample(const Batch& batch, std::size_t i) const = 0;
};

}  // namespace gf
