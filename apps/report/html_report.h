#pragma once
// A comparison as one self-contained HTML file: no script, no font or picture from elsewhere, readable on a phone, in
// light and dark, and when printed. Well-formed as XML, so that it can be checked and processed.
#include <string>

#include "apps/report/report_data.h"

namespace gf {

std::string html_report(const ReportData& data);
void write_html_report(const std::string& path, const ReportData& data);  // atomically

}  // namespace gf
