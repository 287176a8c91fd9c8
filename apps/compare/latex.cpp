// Tables for a paper: \input this file; it needs the package booktabs.
#include "apps/compare/tables.h"
#include "apps/compare/writers.h"
#include "apps/report/table_text.h"

namespace gf {

std::string latex_of(const Comparison& c) {
  std::string s = latex_comment("Written by graphflow compare; needs \\usepackage{booktabs}.");
  for (const std::string& note : reading_notes(c)) s += latex_comment(note);
  for (const std::string& warning : c.warnings) s += latex_comment("NOTE " + warning);
  s += "\n";
  for (const GroupTables& group : tables_of(c)) {
    for (const std::string& warning : group.warnings) s += latex_comment("NOTE " + warning);
    s += latex_table(group.scores, group.title + ": " + (c.on_test ? "test" : "validation") +
                                       " scores, mean ± standard deviation over the seeds.");
    for (const ReportTable& t : group.gains) s += latex_table(t, group.title + ": " + t.title + ". " + t.note);
    if (!group.costs.rows.empty()) s += latex_table(group.costs, group.title + ": size and speed.");
  }
  return s;
}

}  // namespace gf
