#pragma once
// The curves of training, from metrics.csv.
#include <string>
#include <vector>

#include "apps/report/report_data.h"

namespace gf {

struct CurveSource {
  std::string name;
  ModelRole role;
  std::string run_folder;
};

// Loss and validation of all of them together; of a distilled one also each loss term, its share of the gradient and
// its norm, and a discriminator's scores and penalty. What nobody logged is left out.
std::vector<LinePlot> training_curves(const std::vector<CurveSource>& sources);

}  // namespace gf
