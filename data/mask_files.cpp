#include "data/mask_files.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "data/image.h"
#include "data/layouts/folder.h"
#include "data/nifti.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

bool is_mask_name(const std::string& name) {
  if (name.ends_with("_preview.png")) return false;  // graphflow predict --preview
  return name.ends_with(".nii") || name.ends_with(".nii.gz") || is_mask_image_name(name);
}

std::map<std::string, std::string> masks_by_id(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const std::string& name : file_names(folder)) {
    if (!is_mask_name(name)) continue;
    const std::string path = (fs::path(folder) / name).string();
    const auto [at, fresh] = files.emplace(nifti_stem(name), path);
    if (!fresh) bad_data("two masks of one name", at->second + " and " + path, "one", "", "remove one");
  }
  if (files.empty()) bad_data("no masks in the folder", folder, ".nii, .nii.gz, .png or .tif files", "none");
  return files;
}

// Stored values, slice by slice.
std::vector<Mask> slices_of(LabelVolume volume) {
  const NiftiHeader& h = volume.header;
  std::vector<Mask> slices;
  for (std::int64_t z = 0; z < h.nz; ++z) {
    slices.emplace_back(h.ny, h.nx);
    std::copy_n(volume.voxels.begin() + z * h.nx * h.ny, h.nx * h.ny, slices.back().values.begin());
  }
  return slices;
}

}  // namespace

// Who maps the truth's labels often has predictions of class ids already.
static void apply_to_prediction(const LabelMap& map, std::vector<std::int32_t>& values, int classes,
                                const std::string& file) {
  try {
    map.apply(values, classes, file);
  } catch (const Error& e) {
    const bool ids = std::all_of(values.begin(), values.end(), [&](std::int32_t v) { return v >= 0 && v < classes; });
    if (map.entries.empty() || !ids) throw;
    Error::Parts parts = e.parts();
    parts.remedy = "a prediction of class ids? add --class-ids";
    throw Error(e.kind(), parts);
  }
}

MaskFolders pair_masks(const std::string& truth, const std::string& prediction) {
  for (const std::string& path : {truth, prediction})
    if (!fs::exists(path)) bad_data("no such file or folder", path);
  if (fs::is_directory(truth) != fs::is_directory(prediction))
    bad_data("a file cannot be held against a folder", truth + " and " + prediction, "two files or two folders");
  if (!fs::is_directory(truth)) return {{{nifti_stem(truth), truth, prediction}}, {}};
  const std::map<std::string, std::string> t = masks_by_id(truth), p = masks_by_id(prediction);
  MaskFolders folders;
  for (const auto& [id, file] : t) {
    if (const auto at = p.find(id); at != p.end())
      folders.pairs.push_back({id, file, at->second});
    else
      folders.unpaired.push_back({id, "no prediction for " + file + " in " + prediction});
  }
  for (const auto& [id, file] : p)
    if (!t.contains(id)) folders.unpaired.push_back({id, "no truth for " + file + " in " + truth});
  if (folders.pairs.empty())
    bad_data("the folders have no mask in common", truth + " and " + prediction, "files of the same names",
             t.begin()->second + ", " + p.begin()->second);
  for (const MaskFiles& f : folders.pairs)  // their distances have different units
    if (is_nifti_name(f.truth) != is_nifti_name(folders.pairs[0].truth))
      bad_data("volumes and pictures in one folder", truth, "masks of one kind",
               folders.pairs[0].truth + " and " + f.truth, "score them apart");
  return folders;
}

MaskPictures read_mask_pair(const MaskFiles& files, const MaskReading& reading) {
  const bool nifti = is_nifti_name(files.truth);
  if (nifti != is_nifti_name(files.prediction))
    bad_data("truth and prediction are of different kinds", files.truth + " and " + files.prediction,
             "two NIfTI volumes or two pictures");
  LabelMap prediction_map = reading.label_map;
  prediction_map.ignore_index.reset();  // a prediction ignores nothing
  if (reading.prediction_has_ids) prediction_map.entries.clear();
  MaskPictures out;
  if (nifti) {
    LabelVolume t = read_nifti_labels(files.truth), p = read_nifti_labels(files.prediction);
    require_same_grid(files.truth, t.header, files.prediction, p.header, "truth and prediction");
    reading.label_map.apply(t.voxels, reading.classes, files.truth);
    apply_to_prediction(prediction_map, p.voxels, reading.classes, files.prediction);
    const std::array<double, 3>& mm = t.header.spacing_mm;
    out.spacing = {mm[2], mm[1], mm[0]};
    out.volume = t.header.nz > 1;
    out.truth = slices_of(std::move(t));
    out.prediction = slices_of(std::move(p));
    return out;
  }
  Mask t = read_mask(files.truth), p = read_mask(files.prediction);
  if (t.h != p.h || t.w != p.w)
    bad_data("truth and prediction differ in size", files.truth + " and " + files.prediction, t.size_text(),
             p.size_text(), "write predictions at the truth's size");
  reading.label_map.apply(t.values, reading.classes, files.truth);
  apply_to_prediction(prediction_map, p.values, reading.classes, files.prediction);
  out.truth.push_back(std::move(t));
  out.prediction.push_back(std::move(p));
  return out;
}

std::set<std::int32_t> stored_labels(const std::vector<MaskFiles>& files, std::string MaskFiles::*which,
                                     std::optional<std::int32_t> ignore) {
  std::set<std::int32_t> labels;
  for (const MaskFiles& f : files) {
    const std::string& file = f.*which;
    const std::vector<std::int32_t> values =
        is_nifti_name(file) ? read_nifti_labels(file).voxels : read_mask(file).values;
    std::int32_t last = 0;  // labels come in runs
    for (const std::int32_t v : values) {
      if (v == last) continue;
      last = v;
      if (v > 0 && v != ignore) labels.insert(v);
    }
  }
  return labels;
}

}  // namespace gf
