// Layout btcv: the abdomen volumes of "Beyond the Cranial Vault" as they are downloaded: img0001.nii.gz with
// label0001.nii.gz, in one folder, in img and label, or in those below Training or RawData/Training.
//
// Parts: the published 12 cases test, the others train; data.val_share of those validate. Labels are the 13 organs, or
// with data.class_order the eight of Synapse in that order.
#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "data/layouts/case_table.h"
#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"
#include "data/split_file.h"
#include "data/synapse_classes.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

// NNNN of imgNNNN.nii.gz; 0 of another name.
int image_number(const std::string& name) {
  const std::string stem = nifti_stem(name);
  int n = 0;
  if (!is_nifti_name(name) || !stem.starts_with("img")) return 0;
  const auto [end, error] = std::from_chars(stem.data() + 3, stem.data() + stem.size(), n);
  return error == std::errc() && end == stem.data() + stem.size() ? n : 0;
}

bool holds_images(const fs::path& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return false;
  for (const std::string& name : file_names(folder.string()))
    if (image_number(name) > 0) return true;
  return false;
}

// Folders of the images and of the labels.
std::pair<fs::path, fs::path> find_folders(const std::string& root) {
  for (const char* below : {"", "Training", "RawData/Training"}) {
    const fs::path at = fs::path(root) / below;
    if (holds_images(at / "img")) return {at / "img", at / "label"};
    if (holds_images(at)) return {at, at};
  }
  bad_data("not the layout btcv", root, "img0001.nii.gz and label0001.nii.gz, or folders img and label of them",
           "neither");
}

}  // namespace

Dataset open_btcv(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d;
  d.root = existing_folder(source.root);
  d.preprocessing = preprocessing;
  d.class_names = btcv_class_names();
  if (!source.class_order.empty()) {
    const OrganOrder& order = find_organ_order(source.class_order);
    d.class_names = organ_class_names(order);
    d.preprocessing.label_map.entries = organ_label_map(order).entries;
    faults.note(fmt::format("btcv: labels in the order {}: {}", order.name, organ_list(order)));
  }
  if (!source.class_names.empty()) d.class_names = source.class_names;
  const auto [images, labels] = find_folders(d.root);
  for (const std::string& name : file_names(images.string())) {
    const int number = image_number(name);
    if (number == 0) continue;
    Case c;
    c.id = fmt::format("case{:04}", number);
    c.images = {(images / name).string()};
    faults.attempt(Check::missing_pair, c.id, [&, &labels = labels] {
      c.label = existing_file(labels.string(), "label" + name.substr(3), "the image " + c.images[0]);
    });
    c.split = is_synapse_test_case(number) ? Split::test : Split::train;
    add_case(d, std::move(c), faults);
  }
  draw_parts(d, source.val_share, 0, source.split_seed);
  return d;
}

}  // namespace gf
