#pragma once
// metrics.csv and metrics.jsonl of a run: one row a logged step, the same numbers in both.
//
// The columns are fixed when the run starts, so that a reader of a half-written file knows them all. A killed run may
// leave a torn last line; opening the log for a resumed run drops it, and every row of a later step than the one
// resumed from. Columns an earlier run had keep their place; new ones are added at the end.
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace gf {

class MetricsLog {
 public:
  using Row = std::vector<std::pair<std::string, double>>;

  // Starts empty files. "step" is the first column and is not listed.
  static MetricsLog create(const std::string& folder, std::vector<std::string> columns);
  // Keeps the rows of steps <= last_step. The files may be missing.
  static MetricsLog resume(const std::string& folder, std::vector<std::string> columns, std::int64_t last_step);

  // Columns not in `row` stay empty. Flushed, so that a watcher sees it. A name that is no column is an error.
  void append(std::int64_t step, const Row& row);

  const std::vector<std::string>& columns() const { return columns_; }

 private:
  MetricsLog(std::string folder, std::vector<std::string> columns);
  void start_with(const std::string& csv, const std::string& jsonl);

  std::string csv_path_, jsonl_path_;
  std::vector<std::string> columns_;
  std::ofstream csv_, jsonl_;
};

// A metrics.csv as read back: values[i][j] is column j of row i, NaN where the cell is empty.
struct MetricsTable {
  std::vector<std::string> columns;
  std::vector<std::int64_t> steps;
  std::vector<std::vector<double>> values;
};

// Torn lines are left out; a missing file gives an empty table.
MetricsTable read_metrics(const std::string& csv_path);

}  // namespace gf
