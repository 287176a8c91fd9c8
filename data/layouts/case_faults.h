#pragma once
// What a layout has to say while it lists the cases. Faults of single cases: training stops at the first, `graphflow
// verify` wants them all and the other cases with them. Notes: what a user should hear of the data set; they are there
// also when the layout itself has given up.
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

  void note(std::string text) { notes_.push_back(std::move(text)); }
  std::vector<std::string> take_notes() { return std::move(notes_); }

 private:
  bool collects_;
  std::vector<Finding> findings_;
  std::vector<std::string> notes_;
};

// As open_dataset() of dataset.h. Where faults are collected, cases without their image are left out and cases without
// their label have none.
Dataset open_dataset(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults);

}  // namespace gf
