#include "apps/compare/tables.h"
#include "apps/compare/writers.h"
#include "apps/report/table_text.h"

namespace gf {
namespace {

std::string list(const std::vector<std::string>& lines, const std::string& lead) {
  std::string s;
  for (const std::string& line : lines) s += "- " + lead + markdown_cell(line) + "\n";
  return s.empty() ? s : s + "\n";
}

}  // namespace

std::string markdown_of(const Comparison& c) {
  std::string s = list(c.warnings, "**Note** ");
  for (const GroupTables& group : tables_of(c)) {
    s += "## " + markdown_cell(group.title) + "\n\n" + markdown_table(group.scores) + "\n";
    for (const ReportTable& t : group.gains)
      s += "**" + markdown_cell(t.title) + "**\n\n" + markdown_table(t) + "\n" + markdown_cell(t.note) + "\n\n";
    if (!group.costs.rows.empty()) s += markdown_table(group.costs) + "\n";
    s += list(group.warnings, "**Note** ");
  }
  for (const std::string& note : reading_notes(c)) s += markdown_cell(note) + "\n";
  return s;
}

}  // namespace gf
