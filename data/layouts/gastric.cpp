// Layout gastric: the Gastric Cancer Segmentation data set as its authors prepare it, folders train and test with
// pictures NAME.jpg (2048 x 2048, any size works) and masks NAME.png (0 and 1; 255 for 1 is understood). Pictures are
// cut into tiles (tiles.h): side by side for training and validation, overlapping for the test part.
// Tiles come as 0..1, gray or RGB by data.channels; data.normalisation is not asked.
//
// data.val_share of the training pictures validate, drawn by data.split_seed.
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

void read_part(Dataset& d, const char* part, Split split, CaseFaults& faults) {
  const std::string folder = existing_folder((fs::path(d.root) / part).string());
  for (const std::string& name : file_names(folder)) {
    const fs::path path = fs::path(folder) / name;
    if (!is_image_name(name) || path.extension() == ".png") continue;
    Case c;
    c.id = path.stem().string();
    c.images = {path.string()};
    c.split = split;
    faults.attempt(Check::missing_pair, c.id,
                   [&] { c.label = existing_file(folder, c.id + ".png", "the picture " + path.string()); });
    d.cases.push_back(std::move(c));
  }
}

}  // namespace

Dataset open_gastric(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d = one_class_dataset(source, preprocessing, "cancer");
  d.preprocessing.tiling = Tiling::gastric;
  d.preprocessing.normalisation = Normalisation::none;
  read_part(d, "train", Split::train, faults);
  draw_parts(d, source.val_share, 0, source.split_seed);
  read_part(d, "test", Split::test, faults);
  if (d.cases.empty())
    bad_data("no pictures", d.root, "train/NAME.jpg with train/NAME.png, and the same in test", "none");
  return d;
}

}  // namespace gf
