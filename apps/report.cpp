// graphflow report: the page of a run, from what lies in its folder.
#include <filesystem>

#include <fmt/format.h>

#include "apps/commands.h"
#include "apps/report/html_report.h"
#include "apps/run_page.h"

namespace gf {

int report_command(const ReportFlags& flags) {
  const std::string file =
      flags.output.empty() ? (std::filesystem::path(flags.run) / "report.html").string() : flags.output;
  const ReportData data = read_run(flags.run);
  write_html_report(file, data);
  for (const std::string& line : data.warnings) fmt::print("note: {}\n", line);
  fmt::print("written: {}\n", file);
  return 0;
}

}  // namespace gf
