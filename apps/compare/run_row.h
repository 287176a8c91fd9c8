#pragma once
// One trained and tested model: a line of a comparison before anything is averaged.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "apps/report/report_data.h"

namespace gf {

// "dice" -> 0.84; NaN where the metric is not defined (HD95 of a case that was missed).
using MetricValues = std::map<std::string, double>;

struct RunCase {
  std::string id;
  MetricValues values;
};

// Scores on one split.
struct RunScores {
  MetricValues means;
  std::vector<RunCase> cases;
};

struct RunRow {
  std::string file;            // what it was read from, for messages
  std::string experiment, id;  // together its name: no two rows share both
  bool failed = false;
  std::string error;  // why it failed
  ModelRole role = ModelRole::student;
  std::string dataset, teacher, student, method;  // names as shown; method only of a distilled model
  std::int64_t seed = 0;
  std::optional<std::int64_t> labelled;  // training cases with labels; none: all
  std::optional<std::int64_t> train_cases;
  std::string device, version;
  std::optional<std::int64_t> threads, steps;
  double parameters = kUnknown, macs = kUnknown, latency_ms = kUnknown, train_seconds = kUnknown;
  std::vector<std::int64_t> macs_size;  // height and width of the picture that macs and latency are of
  std::string distance_unit;            // of HD95: mm or voxel; empty: not said
  std::string protocol;                 // of the scores; empty: not said
  RunScores validation, test;

  // The model's line in a table: the teacher's name, the student's, or the method's.
  const std::string& name() const {
    return role == ModelRole::teacher ? teacher : role == ModelRole::student ? student : method;
  }
};

}  // namespace gf
