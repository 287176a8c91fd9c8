#pragma once
// The page of a run from what lies in its folder: nothing is trained or predicted again. Works of a run of any state
// and of earlier versions; what is missing is left out, and a warning says what to do about it.
#include <string>

#include "apps/report/report_data.h"

namespace gf {

constexpr const char* kValidationOnly =
    "The data set has no test split: these are validation scores, and the checkpoint was chosen on them.";

constexpr const char* kPooledNote =
    "Dice and IoU of the models are pooled over all pixels of the split, at the file's resolution; means are over the "
    "classes but background. Checkpoints were chosen on the validation split.";

// config.toml and env.json, metrics.csv, comparison.csv, report.json, summary.json and overlays.json of test/ or, where
// there is none, of validation/. Usage error where the folder holds no run, bad_data for a broken file.
ReportData read_run(const std::string& folder);

}  // namespace gf
