#pragma once
// The cases of a split, prepared for evaluation as they are asked for. The first that fit into `limit_mb` stay decoded,
// the others are decoded at every use, so that a part of large volumes is never in memory as a whole.
#include <memory>
#include <vector>

#include "data/case.h"

namespace gf {

class SplitCases {
 public:
  SplitCases(const Dataset& dataset, Split split, std::int64_t limit_mb = 1024);

  std::size_t size() const { return places_.size(); }
  bool empty() const { return places_.empty(); }
  const Case& listed(std::size_t i) const { return dataset_.cases[places_.at(i)]; }  // as the data set has it
  // Errors (bad_data): as load_case. From one thread.
  std::shared_ptr<const PreparedCase> at(std::size_t i) const;

 private:
  Dataset dataset_;
  std::int64_t limit_;
  std::vector<std::size_t> places_;  // in dataset_.cases
  mutable std::vector<std::shared_ptr<const PreparedCase>> kept_;
  mutable std::int64_t used_ = 0;
};

}  // namespace gf
