// Layout images_masks: a folder with index.csv, whose columns image, mask and split name files relative to the folder
// (usually images/*.png and masks/*.png). More columns are ignored.
// Without index.csv: images/NAME.* with masks/NAME.* (or NAME_mask.*); the parts are drawn.
#include <filesystem>

#include "data/image.h"
#include "data/layouts/case_table.h"
#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"
#include "data/split_file.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

void read_folders(Dataset& d, const DatasetSource& source, CaseFaults& faults) {
  const std::map<std::string, std::string> masks = pictures_by_stem((fs::path(d.root) / "masks").string());
  for (const auto& [stem, image] : pictures_by_stem((fs::path(d.root) / "images").string())) {
    auto mask = masks.find(stem);
    if (mask == masks.end()) mask = masks.find(stem + "_mask");
    Case c;
    c.id = stem;
    c.images = {image};
    faults.attempt(Check::missing_pair, c.id, [&, &image = image] {
      if (mask == masks.end())
        bad_data("image without a mask", image, "masks/" + c.id + ".png or masks/" + c.id + "_mask.png", "neither");
      c.label = mask->second;
    });
    d.cases.push_back(std::move(c));
  }
  draw_parts(d, source.val_share, source.test_share, source.split_seed);
}

}  // namespace

Dataset open_images_masks(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d;
  d.root = existing_folder(source.root);
  d.class_names = source.class_names;
  d.preprocessing = preprocessing;
  if (!fs::exists(fs::path(d.root) / "index.csv") && has_folder(d.root, "images")) {
    read_folders(d, source, faults);
    return d;
  }
  read_case_table(
      d, existing_file(d.root, "index.csv", "the layout images_masks, which else has folders images and masks"),
      {"mask"}, source, /*split_required=*/true, faults);
  for (const Case& c : d.cases)
    if (!is_image_name(c.images[0]))
      bad_data("image has an unknown ending", c.images[0], "png, jpg, jpeg, bmp or tif", "");
  return d;
}

}  // namespace gf
