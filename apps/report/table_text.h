#pragma once
// A table as text: Markdown with its columns aligned, and LaTeX for \input with the package booktabs.
#include <string>

#include "apps/report/report_data.h"

namespace gf {

std::string markdown_cell(const std::string& text);  // a pipe ends a cell, a line break the table
std::string markdown_table(const ReportTable& table);

std::string latex_table(const ReportTable& table, const std::string& caption);
std::string latex_comment(const std::string& text);  // one line, whatever the text holds

}  // namespace gf
