#pragma once
// Comma-separated tables with a header line (RFC 4180: quoted fields, doubled quotes, CRLF or LF, UTF-8 mark ignored).
#include <cstddef>
#include <string>
#include <vector>

namespace gf {

class CsvTable {
 public:
  // bad_data with file and line: unreadable, empty, a row with another number of fields, an open quote.
  static CsvTable read(const std::string& path);

  std::size_t rows() const { return cells_.size(); }
  bool has(const std::string& column) const;
  // Error naming the columns there are when `column` is not among them.
  std::size_t column(const std::string& column) const;
  const std::string& at(std::size_t row, std::size_t column) const { return cells_[row][column]; }
  double number(std::size_t row, const std::string& column) const;  // NaN where it is empty; bad_data for other text
  std::size_t line(std::size_t row) const { return lines_[row]; }   // 1-based line in the file, for messages
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::string>> cells_;
  std::vector<std::size_t> lines_;
};

// A field as it must be written: quoted where it holds a comma, quote or line break.
std::string csv_field(const std::string& text);

}  // namespace gf
