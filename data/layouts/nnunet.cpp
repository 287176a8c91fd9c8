// Layout nnunet: nnU-Net's raw data (nnunet_folders.h) with its dataset.json, version 1 or 2: class names, channels,
// file ending (.nii.gz, .nii, .png, .tif), an "ignore" label. imagesTs is the test part where labelsTs holds its
// labels.
//
// Parts: splits_final.json where it lies beside dataset.json (data.fold chooses), else drawn: data.val_share of the
// cases, and data.test_share where there is no test part.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "data/image.h"
#include "data/json_input.h"
#include "data/layouts/case_table.h"
#include "data/layouts/dataset_json.h"
#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"
#include "data/layouts/nnunet_folders.h"
#include "data/split_file.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

// [{"train": [ids], "val": [ids]}, ...]; cases that the fold does not name take no part.
void apply_fold(Dataset& d, const std::string& path, int fold) {
  const nlohmann::json folds = read_json_file(path);
  if (!folds.is_array() || static_cast<std::size_t>(fold) >= folds.size())
    bad_data("no such fold", path, "a list with fold " + std::to_string(fold),
             folds.is_array() ? std::to_string(folds.size()) + " folds" : "another kind of file", "set data.fold");
  std::map<std::string, Split> parts;
  for (const auto& [key, split] : {std::pair{"train", Split::train}, std::pair{"val", Split::val}}) {
    const nlohmann::json& list = folds[static_cast<std::size_t>(fold)];
    if (!list.is_object() || !list.contains(key) || !list[key].is_array())
      bad_data("cannot read fold", path, std::string("lists \"train\" and \"val\""), "something else");
    for (const nlohmann::json& id : list[key]) {
      if (!id.is_string()) bad_data("cannot read fold", path, "names of cases", excerpt(id));
      parts[id.get<std::string>()] = split;
    }
  }
  std::erase_if(d.cases, [&](const Case& c) { return c.split != Split::test && !parts.contains(c.id); });
  for (Case& c : d.cases) {
    if (c.split == Split::test) continue;
    c.split = parts.at(c.id);
    parts.erase(c.id);
  }
  if (!parts.empty())
    bad_data("the fold names a case that is not there", path, "the cases of " + d.root, parts.begin()->first);
}

}  // namespace

Dataset open_nnunet(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d;
  d.root = existing_folder(source.root);
  d.preprocessing = preprocessing;
  const std::string json = existing_file(d.root, "dataset.json", "the layout nnunet");
  const DatasetDescription about = read_dataset_json(json);
  d.class_names = source.class_names.empty() ? about.class_names : source.class_names;
  if (about.ignore_index && !d.preprocessing.label_map.ignore_index)
    d.preprocessing.label_map.ignore_index = about.ignore_index;
  if (!is_nifti_name("x" + about.ending) && !is_mask_image_name("x" + about.ending))
    bad_data("files of an unknown kind", json, "a \"file_ending\" .nii.gz, .nii, .png, .tif or .tiff", about.ending,
             "convert them to .nii.gz");
  for (Case& c : nnunet_cases(d.root, "Tr", about.ending, faults)) add_case(d, std::move(c), faults);
  const auto n = static_cast<std::int64_t>(d.cases.size());
  if (about.training_cases && *about.training_cases != n)
    faults.note("warning: " + json + " speaks of " + std::to_string(*about.training_cases) + " training cases, " +
                std::to_string(n) + " are there");
  // A colour picture is one file with three channels.
  const std::size_t channels = about.channels.size();
  const bool gray = !d.volumes && d.preprocessing.channels == 1;
  if (channels > 0 && static_cast<int>(channels) != d.preprocessing.channels && !gray)
    throw Error(ErrorKind::usage, {"the data set has other channels", json, std::to_string(d.preprocessing.channels),
                                   std::to_string(channels), "set data.channels = " + std::to_string(channels)});
  const bool has_test = has_folder(d.root, "imagesTs") && has_folder(d.root, "labelsTs");
  if (const fs::path folds = fs::path(d.root) / "splits_final.json"; fs::exists(folds))
    faults.attempt(Check::data_set, "", [&] { apply_fold(d, folds.string(), source.fold); });
  else
    draw_parts(d, source.val_share, has_test ? 0 : source.test_share, source.split_seed);
  if (!has_test) return d;
  for (Case& c : nnunet_cases(d.root, "Ts", about.ending, faults)) {
    c.split = Split::test;
    add_case(d, std::move(c), faults);
  }
  return d;
}

}  // namespace gf
