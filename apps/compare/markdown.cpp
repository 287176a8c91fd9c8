#include <algorithm>

#include "apps/compare/tables.h"
#include "apps/compare/writers.h"

namespace gf {
namespace {

// A pipe ends a cell, a line break the table.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '|' ? "\\|" : c == '\n' ? std::string(" ") : std::string(1, c);
  return out;
}

// Characters, not bytes: in UTF-8 the other bytes of a character are 10xxxxxx.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string row_text(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths) {
  std::string s = "|";
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string text = i < cells.size() ? cell(cells[i]) : "";
    const std::string room(widths[i] - width(text), ' ');
    s += " " + (i == 0 ? text + room : room + text) + " |";
  }
  return s + "\n";
}

std::string table_text(const ReportTable& t) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < t.header.size(); ++i) {
    std::size_t w = std::max<std::size_t>(width(cell(t.header[i])), 3);
    for (const std::vector<std::string>& row : t.rows) w = std::max(w, width(cell(row[i])));
    widths.push_back(w);
  }
  std::string s = row_text(t.header, widths) + "|";
  for (std::size_t i = 0; i < widths.size(); ++i)
    s += i == 0 ? std::string(widths[i] + 2, '-') + "|" : std::string(widths[i] + 1, '-') + ":|";
  s += "\n";
  for (const std::vector<std::string>& row : t.rows) s += row_text(row, widths);
  return s;
}

std::string list(const std::vector<std::string>& lines, const std::string& lead) {
  std::string s;
  for (const std::string& line : lines) s += "- " + lead + cell(line) + "\n";
  return s.empty() ? s : s + "\n";
}

}  // namespace

std::string markdown_of(const Comparison& c) {
  std::string s = list(c.warnings, "**Note** ");
  for (const GroupTables& group : tables_of(c)) {
    s += "## " + cell(group.title) + "\n\n" + table_text(group.scores) + "\n";
    for (const ReportTable& t : group.gains)
      s += "**" + cell(t.title) + "**\n\n" + table_text(t) + "\n" + cell(t.note) + "\n\n";
    if (!group.costs.rows.empty()) s += table_text(group.costs) + "\n";
    s += list(group.warnings, "**Note** ");
  }
  for (const std::string& note : reading_notes(c)) s += cell(note) + "\n";
  return s;
}

}  // namespace gf
