#include "data/layouts/nnunet_folders.h"

#include <filesystem>
#include <map>

#include "data/case.h"
#include "data/layouts/folder.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

bool takes(const std::string& name, const std::string& ending) {
  return ending == ".nii.gz" ? is_nifti_name(name) : name.ends_with(ending);
}

}  // namespace

std::string without_channel(const std::string& stem) {
  const std::size_t n = stem.size();
  if (n <= 5 || stem[n - 5] != '_' || stem.find_first_not_of("0123456789", n - 4) != std::string::npos) return stem;
  return stem.substr(0, n - 5);
}

std::vector<Case> nnunet_cases(const std::string& root, const std::string& part, const std::string& ending,
                               CaseFaults& faults) {
  const std::string images = (fs::path(root) / ("images" + part)).string(),
                    labels = (fs::path(root) / ("labels" + part)).string();
  std::map<std::string, Case> cases;
  std::map<std::string, std::string> label_of;
  for (const std::string& name : file_names(existing_folder(labels)))
    if (takes(name, ending)) label_of[input_stem(name)] = (fs::path(labels) / name).string();
  for (const std::string& name : file_names(existing_folder(images))) {
    if (!takes(name, ending)) continue;
    const std::string stem = input_stem(name), id = label_of.contains(stem) ? stem : without_channel(stem);
    const std::string path = (fs::path(images) / name).string();
    Case& c = cases[id];
    c.id = id;
    c.images.push_back(path);
    if (c.images.size() > 1) continue;  // a channel of the same case
    faults.attempt(Check::missing_pair, id, [&] {
      if (!label_of.contains(id))
        bad_data("image without a label", path, "a label " + id + ending + " in " + labels, "none");
      c.label = label_of[id];
    });
  }
  std::vector<Case> out;
  for (auto& [id, c] : cases) out.push_back(std::move(c));
  if (out.empty()) bad_data("folder holds no images", images, "files ending in " + ending, "none");
  return out;
}

}  // namespace gf
