#pragma once
// What `graphflow predict` made, as a self-contained page: a picture a case, amounts, warnings.
#include <string>
#include <vector>

#include "apps/prediction.h"

namespace gf {

struct PredictionReport {
  std::string model, settings;  // file; a line
  std::vector<std::string> class_names;
  std::vector<Prediction> predictions;
  std::vector<std::string> failed;  // messages
};

std::string prediction_page(const PredictionReport& report);

}  // namespace gf
