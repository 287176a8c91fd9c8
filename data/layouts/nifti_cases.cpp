// Layout nifti_cases: NIfTI image and label pairs.
//
// With index.csv: its columns image, label and split name files relative to the folder.
// Without: nnU-Net's folders (nnunet_folders.h). imagesTr is then divided in name order: 80 % train, 20 % val, or 70 %
// train, 10 % val, 20 % test where there is no test part. Volumes of one person must be kept together by an index.csv:
// file names do not say whose they are.
//
// Class names: dataset.json where there is one and the config names none.
#include <filesystem>

#include "data/layouts/case_table.h"
#include "data/layouts/dataset_json.h"
#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"
#include "data/layouts/nnunet_folders.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

void read_folders(Dataset& d, CaseFaults& faults) {
  const bool has_test = has_folder(d.root, "imagesTs") && has_folder(d.root, "labelsTs");
  std::vector<Case> cases = nnunet_cases(d.root, "Tr", ".nii.gz", faults);
  const std::size_t n = cases.size(), train = n * (has_test ? 8 : 7) / 10, val = has_test ? n : n * 8 / 10;
  for (std::size_t i = 0; i < n; ++i) {
    cases[i].split = i < train ? Split::train : i < val ? Split::val : Split::test;
    add_case(d, std::move(cases[i]), faults);
  }
  if (!has_test) return;
  for (Case& c : nnunet_cases(d.root, "Ts", ".nii.gz", faults)) {
    c.split = Split::test;
    add_case(d, std::move(c), faults);
  }
}

}  // namespace

Dataset open_nifti_cases(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d;
  d.root = existing_folder(source.root);
  d.preprocessing = preprocessing;
  const fs::path json = fs::path(d.root) / "dataset.json", index = fs::path(d.root) / "index.csv";
  d.class_names = source.class_names;
  if (d.class_names.empty() && fs::exists(json)) d.class_names = class_names_from_json(json.string());
  if (fs::exists(index))
    read_case_table(d, index.string(), {"label"}, source, /*split_required=*/true, faults);
  else
    read_folders(d, faults);
  for (const Case& c : d.cases)
    if (!is_nifti_name(c.images[0])) bad_data("image has an unknown ending", c.images[0], "nii or nii.gz", "");
  return d;
}

}  // namespace gf
