#pragma once
// The report's comparison for other programs and for a README.
#include <string>

#include "apps/report/report_data.h"

namespace gf {

// Two tables: size, speed and mean scores; Dice per class. References come last.
std::string comparison_markdown(const ReportData& data);

// One row a model and class (and "mean"): name,role,class,dice,iou,hd95,accuracy,parameters,macs,latency_ms,
// latency_p95_ms. The last five stand in the mean's row. Numbers in full, empty where unknown.
std::string comparison_csv(const ReportData& data);

// The same back: class names, models and references of the data are replaced. Files of before may lack the last column.
// bad_data for a file that is none.
void read_comparison_csv(const std::string& path, ReportData& data);

}  // namespace gf
