#pragma once
// report.json of a run folder, format "graphflow report 1": what only the evaluation at the end of a run knows, for
// `graphflow report` to make the page from. Numbers are not in it: those of the models are in comparison.csv, those of
// the cases in test/summary.json.
#include <optional>
#include <string>
#include <vector>

#include "apps/report/report_data.h"

namespace gf {

struct RecordedModel {
  std::string name;
  ModelRole role;
  std::string run_folder;  // its metrics.csv gives the curves: "." is the run's own, empty: none
  std::string config;      // TOML; may be empty
};

struct ReportRecord {
  std::string title, subtitle;
  std::vector<std::string> notes, warnings;
  std::vector<RecordedModel> models;  // the run's own comes last
  std::vector<std::string> overlay_columns;
  std::vector<OverlayRow> overlays;
  std::string distance_unit;  // of comparison.csv's HD95; empty: an earlier version's record does not say
};

void write_report_record(const std::string& run_folder, const ReportRecord& record);
// Nothing where the run has none; bad_data where it is broken.
std::optional<ReportRecord> read_report_record(const std::string& run_folder);

}  // namespace gf
