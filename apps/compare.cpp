// graphflow compare: teacher, student alone and methods against each other.
#include "apps/compare.h"

#include <fmt/format.h>

#include <filesystem>

#include "apps/commands.h"
#include "apps/compare/comparison.h"
#include "apps/compare/read_rows.h"
#include "apps/compare/writers.h"
#include "engine/io/atomic_file.h"

namespace gf {

void write_comparison(const std::vector<std::string>& runs, const std::string& folder, const CompareOptions& options) {
  const Comparison c = compare_rows(read_runs(runs), options.split, options.metrics);
  const std::string markdown = markdown_of(c);
  fmt::print("{}", markdown);
  if (folder.empty()) return;
  std::filesystem::create_directories(folder);
  const std::string base = folder + "/comparison";
  write_file_atomically(base + ".md", markdown);
  write_file_atomically(base + ".csv", csv_of(c));
  write_file_atomically(base + "_cases.csv", cases_csv_of(c));
  write_file_atomically(base + ".tex", latex_of(c));
  write_file_atomically(base + ".html", html_of(c));
  fmt::print("\nwritten: {0}.html {0}.md {0}.tex {0}.csv {0}_cases.csv\n", base);
}

int compare_command(const CompareFlags& flags) {
  std::string folder = flags.output;
  if (folder.empty() && flags.runs.size() == 1 && std::filesystem::is_directory(flags.runs[0] + "/rows"))
    folder = flags.runs[0];
  write_comparison(flags.runs, folder, {flags.split, flags.metrics});
  if (folder.empty()) fmt::print(stderr, "nothing written; -o FOLDER keeps the comparison\n");
  return 0;
}

}  // namespace gf
