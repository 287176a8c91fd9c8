#pragma once
// A comparison as tables of text, the same for every writer.
#include <string>
#include <vector>

#include "apps/compare/comparison.h"
#include "apps/report/report_data.h"

namespace gf {

struct GroupTables {
  std::string title;
  ReportTable scores;              // a row a model: every shown metric
  std::vector<ReportTable> gains;  // a table a chosen metric: teacher and methods against the student alone
  ReportTable costs;               // a row a model that was trained: size, speed, training time
  std::vector<std::string> warnings;
};

std::string title_of(const Comparison& comparison);  // the experiment's name where there is one
std::vector<GroupTables> tables_of(const Comparison& comparison);

// The lines that say how the tables are to be read; for the end of a document.
std::vector<std::string> reading_notes(const Comparison& comparison);

std::string metric_title(const std::string& metric);                                // "dice" -> "Dice"
std::string metric_title(const Comparison& comparison, const std::string& metric);  // "HD95, mm ↓": less is better
int metric_digits(const std::string& metric);                                       // after the point
std::string model_title(const ComparedModel& model);                                // "ENet alone"

}  // namespace gf
