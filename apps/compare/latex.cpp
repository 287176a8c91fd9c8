// Tables for a paper: \input this file; it needs the package booktabs.
#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "apps/compare/tables.h"
#include "apps/compare/writers.h"

namespace gf {
namespace {

// What LaTeX reads as a command or would not find in its fonts.
constexpr std::array<std::pair<std::string_view, std::string_view>, 19> kReplaced{{{"\\", "\\textbackslash{}"},
                                                                                   {"&", "\\&"},
                                                                                   {"%", "\\%"},
                                                                                   {"$", "\\$"},
                                                                                   {"#", "\\#"},
                                                                                   {"_", "\\_"},
                                                                                   {"{", "\\{"},
                                                                                   {"}", "\\}"},
                                                                                   {"~", "\\textasciitilde{}"},
                                                                                   {"^", "\\textasciicircum{}"},
                                                                                   {"<", "$<$"},
                                                                                   {">", "$>$"},
                                                                                   {"±", "$\\pm$"},
                                                                                   {"−", "$-$"},
                                                                                   {"–", "--"},
                                                                                   {"↓", "$\\downarrow$"},
                                                                                   {"∞", "$\\infty$"},
                                                                                   {"·", "$\\cdot$"},
                                                                                   {"√", "$\\surd$"}}};

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::string_view from = text.substr(0, 1), to = from;
    for (const auto& [what, with] : kReplaced)
      if (text.starts_with(what)) from = what, to = with;
    if (from.size() == 1 && static_cast<unsigned char>(from[0]) < 0x20) to = " ";
    if (from == "²") to = "$^2$";
    out += to;
    text.remove_prefix(from.size());
  }
  return out;
}

std::string line(const std::vector<std::string>& cells) {
  std::string s;
  for (const std::string& c : cells) s += (s.empty() ? "" : " & ") + (c.empty() ? "{}" : escaped(c));
  return s + " \\\\\n";
}

std::string table(const ReportTable& t, const std::string& caption) {
  std::string s = "\\begin{table}\n\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}\n\\caption{" +
                  escaped(caption) + "}\n\\begin{tabular}{l" + std::string(t.header.size() - 1, 'r') +
                  "}\n\\toprule\n" + line(t.header) + "\\midrule\n";
  for (const std::vector<std::string>& row : t.rows) s += line(row);
  return s + "\\bottomrule\n\\end{tabular}\n\\end{table}\n\n";
}

// A comment ends with its line.
std::string comment(const std::string& text) {
  std::string s = "% ";
  for (const char c : text) s += c == '\n' || c == '\r' ? ' ' : c;
  return s + "\n";
}

}  // namespace

std::string latex_of(const Comparison& c) {
  std::string s = comment("Written by graphflow compare; needs \\usepackage{booktabs}.");
  for (const std::string& note : reading_notes(c)) s += comment(note);
  for (const std::string& warning : c.warnings) s += comment("NOTE " + warning);
  s += "\n";
  for (const GroupTables& group : tables_of(c)) {
    for (const std::string& warning : group.warnings) s += comment("NOTE " + warning);
    s += table(group.scores, group.title + ": " + (c.on_test ? "test" : "validation") +
                                 " scores, mean ± standard deviation over the seeds.");
    for (const ReportTable& t : group.gains) s += table(t, group.title + ": " + t.title + ". " + t.note);
    if (!group.costs.rows.empty()) s += table(group.costs, group.title + ": size and speed.");
  }
  return s;
}

}  // namespace gf
