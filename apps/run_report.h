#pragma once
// Evaluates trained models on the test split and writes what people look at: scores, report.html, comparison tables.
#include <string>
#include <vector>

#include "apps/config.h"
#include "apps/report/report_data.h"
#include "apps/run_folder.h"
#include "data/dataset.h"
#include "engine/device.h"

namespace gf {

struct ReportEntry {
  std::string name;
  ModelRole role;
  std::string checkpoint;
  std::string run_folder;  // its metrics.csv gives the curves; empty: none
};

// Scores every entry on the device on the test split (validation where there is no test split), writes test/ and
// validation/ of the folder for the last entry, comparison.md, comparison.csv and report.json there, then the page from
// them as `graphflow report` does (run_page.h), and prints the table.
void report_run(const RunFolder& folder, const Dataset& dataset, const std::vector<ReportEntry>& entries,
                const Config& config, const Device& device);

}  // namespace gf
