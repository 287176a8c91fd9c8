#pragma once
// Finished masks to be held against the truth: two folders (or two files) of NIfTI volumes or pictures (PNG, TIFF) with
// the same names. For scoring what some other program predicted.
#include <array>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/label_map.h"
#include "data/picture.h"

namespace gf {

struct MaskFiles {
  std::string id, truth, prediction;  // id: the file's name without its ending
};

struct UnpairedMask {
  std::string id, error;
};

struct MaskFolders {
  std::vector<MaskFiles> pairs;        // by id
  std::vector<UnpairedMask> unpaired;  // in one folder only, truth first
};

// "a.nii.gz" goes with "a.nii"; other files (dataset.json, NAME_preview.png) are left alone; every other .nii, .nii.gz,
// .png and .tif counts as a mask. Errors (bad_data): missing or empty, a file against a folder, two masks of one name,
// volumes and pictures together.
MaskFolders pair_masks(const std::string& truth, const std::string& prediction);

struct MaskPictures {
  std::vector<Mask> truth, prediction;        // class ids, slice by slice (z); one of a picture
  std::array<double, 3> spacing = {1, 1, 1};  // (z, y, x) in mm; 1 of a picture
  bool volume = false;                        // more than one slice
};

struct MaskReading {
  int classes = 0;
  LabelMap label_map;
  bool prediction_has_ids = false;  // predictions hold class ids whatever the truth's label map (graphflow predict)
};

// Errors (bad_data): whatever the readers say; a volume against a picture; different size, spacing, position; labels
// outside the classes.
MaskPictures read_mask_pair(const MaskFiles& files, const MaskReading& reading);

// The values above 0 stored in the truth or the prediction files, the ignored one left out; for users who do not name
// their classes.
std::set<std::int32_t> stored_labels(const std::vector<MaskFiles>& files, std::string MaskFiles::*which,
                                     std::optional<std::int32_t> ignore);

}  // namespace gf
