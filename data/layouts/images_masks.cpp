// Layout images_masks: a folder with index.csv, whose columns image, mask and split name files relative to the folder
// (usually images/*.png and masks/*.png). More columns are ignored.
#include <filesystem>

#include "data/csv.h"
#include "data/dataset.h"
#include "data/image.h"
#include "data/layouts/folder.h"
#include "kernels/error.h"

namespace gf {

Dataset open_images_masks(const DatasetSource& source, const Preprocessing& preprocessing) {
  Dataset d;
  d.root = existing_folder(source.root);
  d.class_names = source.class_names;
  d.preprocessing = preprocessing;
  const CsvTable index = CsvTable::read(existing_file(d.root, "index.csv", "the layout images_masks"));
  const std::size_t image = index.column("image"), mask = index.column("mask"), split = index.column("split");
  for (std::size_t row = 0; row < index.rows(); ++row) {
    const std::string where = index.path() + " line " + std::to_string(index.line(row));
    Case c;
    c.id = std::filesystem::path(index.at(row, image)).stem().string();
    c.images = {existing_file(d.root, index.at(row, image), where)};
    c.split = parse_split(index.at(row, split), where);
    if (c.split != Split::unlabelled) c.label = existing_file(d.root, index.at(row, mask), where);
    if (index.has("patient")) c.patient = index.at(row, index.column("patient"));
    if (!is_image_name(c.images[0]))
      bad_data("image has an unknown ending", where, "png, jpg, jpeg or bmp", c.images[0]);
    d.cases.push_back(std::move(c));
  }
  return d;
}

}  // namespace gf
