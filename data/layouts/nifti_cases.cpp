// Layout nifti_cases: NIfTI image and label pairs.
//
// With index.csv: its columns image, label and split name files relative to the folder.
// Without: nnU-Net's folders, imagesTr/CASE_0000.nii.gz (one file a channel; CASE.nii.gz for one channel) with
// labelsTr/CASE.nii.gz, and imagesTs with labelsTs as test part where both exist. imagesTr is then divided in name
// order: 80 % train, 20 % val, or 70 % train, 10 % val, 20 % test where there is no test part. Volumes of one person
// must be kept together by an index.csv: file names do not say whose they are.
//
// Class names: dataset.json where there is one and the config names none.
#include <filesystem>
#include <map>

#include "data/csv.h"
#include "data/dataset.h"
#include "data/layouts/dataset_json.h"
#include "data/layouts/folder.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

void add_case(Dataset& d, Case c) {
  const NiftiHeader header = read_nifti_header(c.images[0]);
  c.last_slice = slice_count(header, d.preprocessing.slice_axis) - 1;
  d.cases.push_back(std::move(c));
}

void read_index(Dataset& d) {
  const CsvTable index = CsvTable::read((fs::path(d.root) / "index.csv").string());
  const std::size_t image = index.column("image"), label = index.column("label"), split = index.column("split");
  for (std::size_t row = 0; row < index.rows(); ++row) {
    const std::string where = index.path() + " line " + std::to_string(index.line(row));
    Case c;
    c.id = nifti_stem(index.at(row, image));
    c.images = {existing_file(d.root, index.at(row, image), where)};
    c.split = parse_split(index.at(row, split), where);
    if (c.split != Split::unlabelled) c.label = existing_file(d.root, index.at(row, label), where);
    if (index.has("patient")) c.patient = index.at(row, index.column("patient"));
    add_case(d, std::move(c));
  }
}

// CASE_0000 and CASE_0001 are channels of CASE; a name without a four-digit ending is a case of its own.
std::string without_channel(const std::string& stem) {
  const std::size_t n = stem.size();
  if (n <= 5 || stem[n - 5] != '_' || stem.find_first_not_of("0123456789", n - 4) != std::string::npos) return stem;
  return stem.substr(0, n - 5);
}

std::vector<Case> cases_in(const std::string& images, const std::string& labels) {
  std::map<std::string, Case> cases;
  const std::vector<std::string> label_names = file_names(existing_folder(labels));
  std::map<std::string, std::string> label_of;
  for (const std::string& name : label_names)
    if (is_nifti_name(name)) label_of[nifti_stem(name)] = (fs::path(labels) / name).string();
  for (const std::string& name : file_names(existing_folder(images))) {
    if (!is_nifti_name(name)) continue;
    const std::string stem = nifti_stem(name), id = label_of.contains(stem) ? stem : without_channel(stem);
    const std::string path = (fs::path(images) / name).string();
    if (!label_of.contains(id))
      bad_data("image without a label", path, "a label " + id + ".nii.gz in " + labels, "none");
    Case& c = cases[id];
    c.id = id;
    c.images.push_back(path);
    c.label = label_of[id];
  }
  std::vector<Case> out;
  for (auto& [id, c] : cases) out.push_back(std::move(c));
  return out;
}

void read_folders(Dataset& d) {
  const fs::path root = d.root;
  std::error_code ignored;
  const bool has_test = fs::is_directory(root / "imagesTs", ignored) && fs::is_directory(root / "labelsTs", ignored);
  std::vector<Case> cases = cases_in((root / "imagesTr").string(), (root / "labelsTr").string());
  const std::size_t n = cases.size(), train = n * (has_test ? 8 : 7) / 10, val = has_test ? n : n * 8 / 10;
  for (std::size_t i = 0; i < n; ++i) {
    cases[i].split = i < train ? Split::train : i < val ? Split::val : Split::test;
    add_case(d, std::move(cases[i]));
  }
  if (!has_test) return;
  for (Case& c : cases_in((root / "imagesTs").string(), (root / "labelsTs").string())) {
    c.split = Split::test;
    add_case(d, std::move(c));
  }
}

}  // namespace

Dataset open_nifti_cases(const DatasetSource& source, const Preprocessing& preprocessing) {
  Dataset d;
  d.root = existing_folder(source.root);
  d.volumes = true;
  d.preprocessing = preprocessing;
  const fs::path json = fs::path(d.root) / "dataset.json";
  d.class_names = source.class_names;
  if (d.class_names.empty() && fs::exists(json)) d.class_names = class_names_from_json(json.string());
  if (fs::exists(fs::path(d.root) / "index.csv"))
    read_index(d);
  else
    read_folders(d);
  return d;
}

}  // namespace gf
