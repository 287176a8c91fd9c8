#pragma once
// Faults of single cases that a layout meets while it lists them: training stops at the first, `graphflow verify` wants
// them all and the other cases with them.
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/verify/finding.h"
#include "kernels/error.h"

namespace gf {

class CaseFaults {
 public:
  explicit CaseFaults(bool collects) : collects_(collects) {}

  // Bad data of `step` is thrown on, or where faults are collected kept: false then.
  template <class Step>
  bool attempt(Check check, const std::string& case_id, const Step& step) {
    try {
      step();
      return true;
    } catch (const Error& e) {
      if (!collects_ || e.kind() != ErrorKind::bad_data) throw;
      findings_.push_back({Severity::error, check, case_id, e.what()});
      return false;
    }
  }
  bool collects() const { return collects_; }
  std::vector<Finding> take() { return std::move(findings_); }

 private:
  bool collects_;
  std::vector<Finding> findings_;
};

// As open_dataset() of dataset.h. Where faults are collected, cases without their image are left out and cases without
// their label have none.
Dataset open_dataset(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults);

}  // namespace gf
