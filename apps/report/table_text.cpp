#include "apps/report/table_text.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace gf {
namespace {

// Characters, not bytes: in UTF-8 the other bytes of a character are 10xxxxxx.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string row_text(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string s = "|";
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string text = i < cells.size() ? markdown_cell(cells[i]) : "";
    const std::string room(widths[i] - width(text), ' ');
    s += " " + (i == 0 ? text + room : room + text) + " |";
  }
  return s + "\n";
}

// What LaTeX reads as a command or would not find in its fonts.
constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kReplaced{{{"\\", "\\textbackslash{}"},
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
                                                                                   {"√", "$\\surd$"},
                                                                                   {"²", "$^2$"}}};

std::string escaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::string_view from = text.substr(0, 1), to = from;
    for (const auto& [what, with] : kReplaced)
      if (text.starts_with(what)) from = what, to = with;
    if (from.size() == 1 && static_cast<unsigned char>(from[0]) < 0x20) to = " ";
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

}  // namespace

std::string markdown_cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : c == '\n' ? std::string(" ") : std::string(1, c);
  return out;
}

std::string markdown_table(const ReportTable& t) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < t.header.size(); ++i) {
    std::size_t w = std::max<std::size_t>(width(markdown_cell(t.header[i])), 3);
    for (const std::vector<std::string>& row : t.rows) w = std::max(w, width(markdown_cell(row[i])));
    widths.push_back(w);
  }
  std::string s = row_text(t.header, widths) + "|";
  for (std::size_t i = 0; i < widths.size(); ++i)
    s += i == 0 ? std::string(widths[i] + 2, '-') + "|" : std::string(widths[i] + 1, '-') + ":|";
  s += "\n";
  for (const std::vector<std::string>& row : t.rows) s += row_text(row, widths);
  return s;
}

std::string latex_table(const ReportTable& t, const std::string& caption) {
  std::string s = "\\begin{table}\n\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}\n\\caption{" +
                  escaped(caption) + "}\n\\begin{tabular}{l" + std::string(t.header.size() - 1, 'r') +
                  "}\n\\toprule\n" + line(t.header) + "\\midrule\n";
  for (const std::vector<std::string>& row : t.rows) s += line(row);
  return s + "\\bottomrule\n\\end{tabular}\n\\end{table}\n\n";
}

std::string latex_comment(const std::string& text) {
  std::string s = "% ";
  for (const char c : text) s += c == '\n' || c == '\r' ? ' ' : c;
  return s + "\n";
}

}  // namespace gf
