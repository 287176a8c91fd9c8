#include "apps/metrics_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <iterator>
#include <limits>
#include <string_view>

#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells(1);
  for (const char c : line) {
    if (c == ',') {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

// Leaves `out` as it is where the text is no number.
bool parse_number(const std::string& text, double& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

std::string header_of(const std::vector<std::string>& columns) {
  std::string s = "step";
  for (const std::string& c : columns) s += "," + c;
  return s + "\n";
}

using Cells = std::vector<std::string>;  // of one row, without the step: "" for no value, "nan" and "inf" spelled out

std::string csv_line(std::int64_t step, const Cells& cells) {
  std::string s = std::to_string(step);
  for (const std::string& cell : cells) s += "," + cell;
  return s + "\n";
}

// JSON has no nan and no inf: null stands for both.
std::string json_line(std::int64_t step, const std::vector<std::string>& columns, const Cells& cells) {
  std::string s = fmt::format("{{\"step\":{}", step);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].empty()) continue;
    const bool finite = std::isdigit(static_cast<unsigned char>(cells[i].back()));
    s += fmt::format(",\"{}\":{}", columns[i], finite ? cells[i] : "null");
  }
  return s + "}\n";
}

// The rows of a metrics.csv that are whole: a kill may have torn the last one.
struct TextTable {
  std::vector<std::string> columns;
  std::vector<std::pair<std::int64_t, Cells>> rows;
};

TextTable read_text(const std::string& csv_path) {
  TextTable table;
  std::ifstream file(csv_path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  bool header = true;
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    Cells cells = cells_of(std::string_view(text).substr(begin, end - begin));
    const std::string first = cells.front();
    cells.erase(cells.begin());
    if (header) {
      table.columns = cells;
      header = false;
      continue;
    }
    double step = 0, value = 0;
    const bool whole = cells.size() == table.columns.size() && parse_number(first, step) &&
                       std::all_of(cells.begin(), cells.end(),
                                   [&](const std::string& c) { return c.empty() || parse_number(c, value); });
    if (whole) table.rows.emplace_back(static_cast<std::int64_t>(step), std::move(cells));
  }
  return table;
}

// Names go unquoted into both files.
void check_columns(const std::vector<std::string>& columns) {
  for (const std::string& c : columns) {
    const bool plain = !c.empty() && c != "step" && std::all_of(c.begin(), c.end(), [](char x) {
      return std::isalnum(static_cast<unsigned char>(x)) || std::strchr("_./-", x) != nullptr;
    });
    if (!plain || std::count(columns.begin(), columns.end(), c) > 1) {
      fail("wrong column of metrics.csv", "'" + c + "'", "unique names of letters, digits and _ . / -");
    }
  }
}

}  // namespace

MetricsTable read_metrics(const std::string& csv_path) {
  TextTable text = read_text(csv_path);
  MetricsTable table;
  table.columns = std::move(text.columns);
  for (const auto& [step, cells] : text.rows) {
    std::vector<double>& values = table.values.emplace_back(cells.size(), std::numeric_limits<double>::quiet_NaN());
    for (std::size_t i = 0; i < cells.size(); ++i) parse_number(cells[i], values[i]);
    table.steps.push_back(step);
  }
  return table;
}

MetricsLog::MetricsLog(std::string folder, std::vector<std::string> columns)
    : csv_path_(folder + "/metrics.csv"), jsonl_path_(folder + "/metrics.jsonl"), columns_(std::move(columns)) {}

MetricsLog MetricsLog::create(const std::string& folder, std::vector<std::string> columns) {
  check_columns(columns);
  MetricsLog log(folder, std::move(columns));
  log.start_with(header_of(log.columns_), {});
  return log;
}

MetricsLog MetricsLog::resume(const std::string& folder, std::vector<std::string> columns, std::int64_t last_step) {
  check_columns(columns);
  TextTable old = read_text(folder + "/metrics.csv");
  for (std::string& c : columns) {
    if (std::find(old.columns.begin(), old.columns.end(), c) == old.columns.end()) old.columns.push_back(std::move(c));
  }
  std::string csv = header_of(old.columns), jsonl;
  for (auto& [step, cells] : old.rows) {
    if (step > last_step) continue;
    cells.resize(old.columns.size());
    csv += csv_line(step, cells);
    jsonl += json_line(step, old.columns, cells);
  }
  MetricsLog log(folder, std::move(old.columns));
  log.start_with(csv, jsonl);
  return log;
}

void MetricsLog::start_with(const std::string& csv, const std::string& jsonl) {
  write_file_atomically(csv_path_, csv);
  write_file_atomically(jsonl_path_, jsonl);
  csv_.open(csv_path_, std::ios::app);
  jsonl_.open(jsonl_path_, std::ios::app);
}

void MetricsLog::append(std::int64_t step, const Row& row) {
  Cells cells(columns_.size());
  for (const auto& [name, value] : row) {
    const auto it = std::find(columns_.begin(), columns_.end(), name);
    if (it == columns_.end()) fail("no such column in metrics.csv", "'" + name + "'");
    cells[static_cast<std::size_t>(it - columns_.begin())] = fmt::format("{}", value);
  }
  csv_ << csv_line(step, cells) << std::flush;
  jsonl_ << json_line(step, columns_, cells) << std::flush;
  if (!csv_ || !jsonl_) {
    fail("cannot write metrics", csv_ ? jsonl_path_ : csv_path_, {}, std::strerror(errno), "is the disk full?");
  }
}

}  // namespace gf
