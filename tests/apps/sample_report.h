#pragma once
// A report with invented numbers and drawn pictures that has everything a report can have.
#include "apps/report/report_data.h"
#include "data/picture.h"

namespace gf {

// A gray ellipse with `classes - 1` sectors as classes; `error` shifts their borders.
Picture sample_picture(std::int64_t h, std::int64_t w);
Mask sample_mask(std::int64_t h, std::int64_t w, int classes, double error);

ReportData sample_report();

}  // namespace gf
