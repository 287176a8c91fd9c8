#include "data/layouts/folder.h"

#include <algorithm>
#include <filesystem>

#include "data/image.h"
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
  // The system would read up to it, and another file than the name's ending speaks of.
  if (name.find('\0') != std::string::npos)
    bad_data("file name with a NUL character", root, "a name", std::string(name.c_str()) + "...",
             "mend " + mentioned_in);
  const fs::path path = fs::path(root) / name;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored))
    bad_data("file is missing", path.string(), "the file named by " + mentioned_in);
  return path.string();
}

std::string list_file(const std::string& root, const std::vector<std::string>& names, const std::string& layout) {
  std::error_code ignored;
  if (fs::is_regular_file(root, ignored)) return root;
  existing_folder(root);
  std::string all;
  for (const std::string& name : names) {
    if (fs::is_regular_file(fs::path(root) / name, ignored)) return (fs::path(root) / name).string();
    all += (all.empty() ? "" : " or ") + name;
  }
  bad_data("list file is missing", root, all + ", as the layout " + layout + " has it", "none",
           "name the file itself: data.root = \"FILE\"");
}

bool has_folder(const std::string& folder, const std::string& name) {
  std::error_code ignored;
  return fs::is_directory(fs::path(folder) / name, ignored);
}

std::map<std::string, std::string> pictures_by_stem(const std::string& folder) {
  std::map<std::string, std::string> pictures;
  for (const std::string& name : file_names(existing_folder(folder))) {
    if (!is_image_name(name)) continue;
    const std::string path = (fs::path(folder) / name).string();
    const auto [at, fresh] = pictures.emplace(fs::path(name).stem().string(), path);
    if (!fresh) bad_data("two pictures of one name", at->second + " and " + path, "one", "", "remove one");
  }
  return pictures;
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
