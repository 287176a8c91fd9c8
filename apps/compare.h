#pragma once
// Comparison of trained models: what `graphflow compare` does, for other subcommands to call.
#include <string>
#include <vector>

namespace gf {

struct CompareOptions {
  std::string split = "test";        // or val
  std::vector<std::string> metrics;  // whose gains over the student alone are shown; none: dice
};

// Reads the runs (apps/compare/read_rows.h says what they may be), prints the comparison as Markdown and, where
// `folder` is not empty, makes it and writes comparison.html, .md, .tex, .csv and _cases.csv there.
// Throws Error of kind bad_data where there is nothing to compare: no row, no score on this split, two rows alike.
void write_comparison(const std::vector<std::string>& runs, const std::string& folder,
                      const CompareOptions& options = {});

}  // namespace gf
