// Layout busi: Dataset_BUSI_with_GT as published, folders benign, malignant and normal with "benign (1).png", its mask
// "benign (1)_mask.png", and further lesions of the same picture "benign (1)_mask_1.png", ..., which are united.
// data.root is that folder or the one above it. One class, lesion; masks hold 0 and 255 (or 1).
//
// normal takes part only when data.subsets names it. There is no official division: the same shares of every folder
// validate and test, drawn by data.split_seed.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "data/image.h"
#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"
#include "data/layouts/one_class.h"
#include "data/split_file.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

constexpr const char* kFolders[] = {"benign", "malignant", "normal"};

// NAME of NAME_mask and NAME_mask_2; "" of a picture's name.
std::string picture_of_mask(const std::string& stem) {
  const std::size_t at = stem.rfind("_mask");
  if (at == std::string::npos) return {};
  const std::string rest = stem.substr(at + 5);
  const bool number = rest.size() > 1 && rest[0] == '_' && rest.find_first_not_of("0123456789", 1) == std::string::npos;
  return rest.empty() || number ? stem.substr(0, at) : std::string();
}

std::size_t read_folder(Dataset& d, const std::string& subset, CaseFaults& faults) {
  std::map<std::string, Case> cases;
  const std::map<std::string, std::string> files = pictures_by_stem((fs::path(d.root) / subset).string());
  for (const auto& [stem, path] : files) {
    if (!picture_of_mask(stem).empty()) continue;
    Case& c = cases[stem];
    c.id = stem;
    c.images = {path};
    c.subset = subset;
  }
  for (const auto& [stem, path] : files) {  // in name order: NAME_mask comes before NAME_mask_1
    const std::string picture = picture_of_mask(stem);
    if (picture.empty()) continue;
    const auto at = cases.find(picture);
    const bool paired = faults.attempt(Check::missing_pair, picture, [&, &path = path] {
      if (at == cases.end()) bad_data("mask without a picture", path, picture + ".png beside it", "none");
    });
    if (!paired) continue;
    Case& c = at->second;
    if (c.label.empty())
      c.label = path;
    else
      c.more_labels.push_back(path);
  }
  for (auto& [stem, c] : cases) {
    faults.attempt(Check::missing_pair, stem, [&, &stem = stem, &c = c] {
      if (c.label.empty()) bad_data("picture without a mask", c.images[0], stem + "_mask.png beside it", "none");
    });
    d.cases.push_back(std::move(c));
  }
  return cases.size();
}

}  // namespace

Dataset open_busi(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d = one_class_dataset(source, preprocessing, "lesion");
  if (has_folder(d.root, "Dataset_BUSI_with_GT")) d.root = (fs::path(d.root) / "Dataset_BUSI_with_GT").string();
  const std::vector<std::string> subsets =
      source.subsets.empty() ? std::vector<std::string>{"benign", "malignant"} : source.subsets;
  std::string found;
  for (const std::string& subset : subsets) {
    if (std::ranges::find(kFolders, subset) == std::end(kFolders))
      throw Error(ErrorKind::usage,
                  {"no such folder of the layout busi", "data.subsets", "benign, malignant, normal", subset, ""});
    if (!has_folder(d.root, subset)) bad_data("folder is missing", d.root, "a folder " + subset, "none");
    found += fmt::format("{}{} {}", found.empty() ? "" : ", ", read_folder(d, subset, faults), subset);
  }
  faults.note(fmt::format("busi: {} (published: 437 benign, 210 malignant, 133 normal)", found));
  draw_parts(d, source.val_share, source.test_share, source.split_seed);
  return d;
}

}  // namespace gf
