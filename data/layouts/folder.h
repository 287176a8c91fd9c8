#pragma once
// Small checks the layouts share. Errors are bad_data.
#include <string>
#include <vector>

namespace gf {

// `root`, which must be a folder.
std::string existing_folder(const std::string& root);
// root/name, which must be a file; `mentioned_in` says who asked for it ("index.csv line 3").
std::string existing_file(const std::string& root, const std::string& name, const std::string& mentioned_in);
// Names (without folder) of the regular files in `folder`, sorted; hidden files are left out.
std::vector<std::string> file_names(const std::string& folder);

}  // namespace gf
