#include "data/csv.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "data/gz_stream.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::size_t kMostFields = 4096;

class Parser {
 public:
  Parser(const std::string& path, const std::vector<std::uint8_t>& bytes)
      : path_(path), text_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {
    if (text_.starts_with("\xef\xbb\xbf")) text_.erase(0, 3);
  }

  bool at_end() const { return next_ >= text_.size(); }
  std::size_t line() const { return line_; }

  std::vector<std::string> row() {
    std::vector<std::string> fields(1);
    while (!at_end()) {
      const char c = text_[next_++];
      if (c == ',') {
        if (fields.size() == kMostFields)
          bad_data("bad CSV file", path_ + " line " + std::to_string(line_),
                   "at most " + std::to_string(kMostFields) + " fields", "more");
        fields.emplace_back();
      } else if (c == '"' && fields.back().empty()) {
        quoted(fields.back());
      } else if (c == '\n') {
        ++line_;
        break;
      } else if (c != '\r') {
        fields.back() += c;
      }
    }
    return fields;
  }

 private:
  void quoted(std::string& field) {
    const std::size_t opened = line_;
    while (!at_end()) {
      const char c = text_[next_++];
      if (c == '"') {
        if (at_end() || text_[next_] != '"') return;
        ++next_;
      }
      if (c == '\n') ++line_;
      field += c;
    }
    bad_data("bad CSV file", path_ + " line " + std::to_string(opened), "a closing quote", "the end of the file");
  }

  const std::string& path_;
  std::string text_;
  std::size_t next_ = 0, line_ = 1;
};

}  // namespace

CsvTable CsvTable::read(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_list_file(path);
  Parser parser(path, bytes);
  CsvTable table;
  table.path_ = path;
  if (parser.at_end()) bad_data("CSV file is empty", path, "a header line");
  table.names_ = parser.row();
  while (!parser.at_end()) {
    const std::size_t line = parser.line();
    std::vector<std::string> fields = parser.row();
    if (fields.size() == 1 && fields[0].empty()) continue;  // a blank line
    if (fields.size() != table.names_.size())
      bad_data("bad CSV file", path + " line " + std::to_string(line), std::to_string(table.names_.size()) + " fields",
               std::to_string(fields.size()));
    table.cells_.push_back(std::move(fields));
    table.lines_.push_back(line);
  }
  return table;
}

bool CsvTable::has(const std::string& column) const {
  return std::find(names_.begin(), names_.end(), column) != names_.end();
}

std::size_t CsvTable::column(const std::string& column) const {
  const auto found = std::find(names_.begin(), names_.end(), column);
  if (found == names_.end()) {
    std::string all;
    for (const std::string& name : names_) all += (all.empty() ? "" : ", ") + name;
    bad_data("CSV file lacks a column", path_, "a column \"" + column + "\"", all);
  }
  return static_cast<std::size_t>(found - names_.begin());
}

double CsvTable::number(std::size_t row, const std::string& column) const {
  const std::string& text = at(row, this->column(column));
  if (text.empty()) return std::numeric_limits<double>::quiet_NaN();
  double v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size())
    bad_data("bad CSV file", path_ + " line " + std::to_string(line(row)) + ", " + column, "a number", text);
  return v;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace gf
