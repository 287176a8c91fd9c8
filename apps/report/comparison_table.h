#pragma once
// The report's comparison for other programs and for a README.
#include <string>

#include "apps/report/report_data.h"

namespace gf {

// Two tables: size, speed and mean scores; Dice per class. References come last.
std::string comparison_markdown(const ReportData& data);

// One row a model and class (and "mean"): name,role,class,dice,iou,hd95,accuracy,parameters,macs,latency_ms. The last
// four stand in the mean's row. Numbers in full, empty where unknown.
std::string comparison_csv(const ReportData& data);

}  // namespace gf
