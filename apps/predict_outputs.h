#pragma once
// Where the masks of `graphflow predict` go: a folder, or the file that -o names for one case.
#include <string>
#include <vector>

#include "apps/commands.h"
#include "apps/predict_inputs.h"

namespace gf {

class PredictOutputs {
 public:
  // Usage errors, before any work: an output of a kind that the masks are not, two cases with one mask, an output that
  // is one of the inputs (whatever the names and links that lead to it).
  PredictOutputs(const PredictFlags& flags, const std::vector<PredictInput>& inputs);

  std::string mask(const PredictInput& input) const;
  std::string table(const std::string& name) const;  // statistics.csv and its like

 private:
  std::vector<std::string> files_of(const PredictInput& input) const;

  const PredictFlags& flags_;
  bool one_mask_ = false;
};

}  // namespace gf
