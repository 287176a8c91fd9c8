#pragma once
// Small checks the layouts share. Errors are bad_data.
#include <map>
#include <string>
#include <vector>

namespace gf {

// `root`, which must be a folder.
std::string existing_folder(const std::string& root);
// root/name, which must be a file; `mentioned_in` says who asked for it ("index.csv line 3").
std::string existing_file(const std::string& root, const std::string& name, const std::string& mentioned_in);
// `root` as the list file itself, or the first of `names` in the folder `root`; `layout` says who looks for it.
std::string list_file(const std::string& root, const std::vector<std::string>& names, const std::string& layout);
// Whether folder/name is a folder.
bool has_folder(const std::string& folder, const std::string& name);
// The picture files of a folder by their names without ending; two of one name are an error.
std::map<std::string, std::string> pictures_by_stem(const std::string& folder);
// Names (without folder) of the regular files in `folder`, sorted; hidden files are left out.
std::vector<std::string> file_names(const std::string& folder);

}  // namespace gf
