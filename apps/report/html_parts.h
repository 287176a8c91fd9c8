#pragma once
// The pieces html_report.cpp is put together from.
#include <string>

#include "apps/report/report_data.h"

namespace gf {

// Of a model in every chart and table: the teacher's, the student's, then one for each further model.
int model_color(const ReportData& data, std::size_t model);

std::string model_table(const ReportData& data);       // size, speed, mean scores
std::string per_class_tables(const ReportData& data);  // Dice, IoU and HD95, a column a class
std::string plain_table(const ReportTable& table);
std::string overlay_grid(const ReportData& data);
std::string case_gallery(const ReportData& data);    // worst and best cases
std::string interval_table(const ReportData& data);  // means over cases with confidence intervals

}  // namespace gf
