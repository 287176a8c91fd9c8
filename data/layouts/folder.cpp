#include "data/layouts/folder.h"

#include <algorithm>
#include <filesystem>

#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {

std::string existing_folder(const std::string& root) {
  std::error_code ignored;
  if (!fs::is_directory(root, ignored))
    bad_data("data folder is missing", root.empty() ? "(no path)" : root, "a folder",
             fs::exists(root, ignored) ? "a file" : "nothing", "set data.root to the folder of the data set");
  if (fs::is_empty(root, ignored)) bad_data("data folder is empty", root);
  return root;
}

std::string existing_file(const std::string& root, const std::string& name, const std::string& mentioned_in) {
  const fs::path path = fs::path(root) / name;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored))
    bad_data("file is missing", path.string(), "the file named by " + mentioned_in);
  return path.string();
}

std::vector<std::string> file_names(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_regular_file() && !name.starts_with('.')) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace gf
