#pragma once
// What a model was trained on, in numbers: a model file carries them, and prediction warns of what lies far outside.
#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "data/case.h"

namespace gf {

struct TrainingRange {
  std::int64_t cases = 0;               // that were looked at
  bool volumes = false;                 // or pictures, which have no spacing
  std::array<double, 2> mean = {0, 0};  // least and largest of the cases' means and deviations, as stored
  std::array<double, 2> deviation = {0, 0};
  std::array<std::array<double, 2>, 3> spacing_mm = {};  // along slices, height, width

  // "range.mean" = "0.1 0.5" and so on. from_entries: nothing where there are none (an older model); bad_data where
  // they are broken.
  std::map<std::string, std::string> to_entries() const;
  static std::optional<TrainingRange> from_entries(const std::map<std::string, std::string>& entries,
                                                   const std::string& file);
};

// Reads up to `most` labelled training cases, spread over the data set.
TrainingRange measure_training_range(const Dataset& dataset, std::size_t most = 16);

// One line for each way in which the case is unlike those of training: its intensities further away than their whole
// range is wide (with one case: than half its value), its spacing off by more than a tenth.
std::vector<std::string> unlike_training(const PreparedCase& c, const TrainingRange& range);

}  // namespace gf
