#pragma once
// Labelled and unlabelled pictures in one batch (method 7): the first half comes with labels, the second without. Each
// part goes round at its own pace; an epoch is a round through the longer one.
#include "data/loader.h"

namespace gf {

class PairedLoader : public BatchSource {
 public:
  // options.batch_size is that of both halves together: even, at least 2 (usage). Splits train and unlabelled of the
  // data set; bad_data where one is empty or smaller than half a batch.
  PairedLoader(const Dataset& dataset, const LoaderOptions& options);

  Batch next() override;
  LoaderPosition position() const override;
  void seek(LoaderPosition position) override;
  std::int64_t steps_per_epoch() const override;
  std::string name_of_sample(const Batch& batch, std::size_t i) const override;

 private:
  Loader labelled_, unlabelled_;
  std::int64_t next_ = 0;  // counts batches
};

}  // namespace gf
