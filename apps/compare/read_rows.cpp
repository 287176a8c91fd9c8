#include "apps/compare/read_rows.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> sorted_entries(const fs::path& folder) {
  std::vector<std::string> paths;
  for (const fs::directory_entry& e : fs::directory_iterator(folder)) paths.push_back(e.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> row_files(const fs::path& folder) {
  std::vector<std::string> files;
  for (const std::string& path : sorted_entries(folder))
    if (path.ends_with(".json")) files.push_back(path);
  return files;
}

struct Found {
  std::vector<std::string> rows, run_folders;
};

void find_runs(const std::string& run, Found& found) {
  const auto add = [](std::vector<std::string>& to, const std::vector<std::string>& paths) {
    to.insert(to.end(), paths.begin(), paths.end());
  };
  if (!fs::exists(run)) bad_data("no such run", run, "a folder or a row file", "nothing");
  if (!fs::is_directory(run)) return found.rows.push_back(run);
  if (fs::is_directory(fs::path(run) / "rows")) {
    const std::vector<std::string> files = row_files(fs::path(run) / "rows");
    if (files.empty())
      bad_data("the experiment has no rows yet", run + "/rows", "*.json", "none", "run graphflow experiment first");
    return add(found.rows, files);
  }
  if (is_run_folder(run)) return found.run_folders.push_back(run);
  std::vector<std::string> inside;
  for (const std::string& path : sorted_entries(run))
    if (is_run_folder(path)) inside.push_back(path);
  if (inside.empty() && fs::path(run).lexically_normal().filename() == "rows") return add(found.rows, row_files(run));
  if (inside.empty())
    bad_data("nothing to compare in this folder", run, "rows/*.json, or a config.toml with test/summary.json",
             "neither",
             "give an experiment's folder or run folders; scores of other places belong into RUN/test "
             "(graphflow evaluate -m RUN/checkpoints/best.gfm -o RUN/test)");
  add(found.run_folders, inside);
}

void keep_once(std::vector<std::string>& paths) {
  std::set<std::string> seen;
  std::erase_if(paths, [&](const std::string& p) { return !seen.insert(fs::weakly_canonical(p).string()).second; });
}

void refuse_twice(const std::vector<RunRow>& rows) {
  std::map<std::pair<std::string, std::string>, const RunRow*> seen;
  for (const RunRow& r : rows) {
    const auto [at, fresh] = seen.emplace(std::pair{r.experiment, r.id}, &r);
    if (!fresh)
      bad_data("the same row twice", at->second->file + " and " + r.file, "every row of an experiment once",
               "row \"" + r.id + "\" in both", "give one of them");
  }
}

}  // namespace

std::vector<RunRow> read_runs(const std::vector<std::string>& runs) {
  Found found;
  for (const std::string& run : runs) find_runs(run, found);
  keep_once(found.rows);
  keep_once(found.run_folders);
  std::vector<RunRow> rows;
  for (const std::string& file : found.rows) rows.push_back(read_row_file(file));
  for (RunRow& r : read_run_folders(found.run_folders)) rows.push_back(std::move(r));
  refuse_twice(rows);
  return rows;
}

}  // namespace gf
