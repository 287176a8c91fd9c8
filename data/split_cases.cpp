#include "data/split_cases.h"

namespace gf {

SplitCases::SplitCases(const Dataset& dataset, Split split, std::int64_t limit_mb)
    : dataset_(dataset), limit_(limit_mb << 20) {
  for (std::size_t i = 0; i < dataset_.cases.size(); ++i)
    if (dataset_.cases[i].split == split) places_.push_back(i);
  kept_.resize(places_.size());
}

std::shared_ptr<const PreparedCase> SplitCases::at(std::size_t i) const {
  if (kept_.at(i)) return kept_[i];
  auto prepared =
      std::make_shared<const PreparedCase>(load_case(dataset_, dataset_.cases[places_[i]], Purpose::evaluation));
  if (used_ + prepared->bytes() <= limit_) {
    used_ += prepared->bytes();
    kept_[i] = prepared;
  }
  return prepared;
}

}  // namespace gf
