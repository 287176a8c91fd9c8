#pragma once
// The report of a run as one self-contained HTML page (html_page.h).
#include <string>

#include "apps/report/report_data.h"

namespace gf {

std::string html_report(const ReportData& data);
void write_html_report(const std::string& path, const ReportData& data);  // atomically

}  // namespace gf
