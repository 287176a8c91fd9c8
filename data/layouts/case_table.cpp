#include "data/layouts/case_table.h"

#include <filesystem>

#include "data/array_files.h"
#include "data/case.h"
#include "data/csv.h"
#include "data/image.h"
#include "data/layouts/folder.h"
#include "data/split_file.h"
#include "kernels/error.h"

namespace gf {

namespace {

// Throws where the image is not of the data set's kind.
void require_kind(Dataset& d, const Case& c) {
  const std::string& image = c.images.at(0);
  if (!is_nifti_name(image) && !is_image_name(image))
    bad_data("image has an unknown ending", image, "nii, nii.gz, png, jpg, jpeg, bmp, tif or tiff", image);
  const bool volume = is_nifti_name(image);
  if (d.cases.empty()) d.volumes = volume;
  if (volume != d.volumes)
    bad_data("volumes and pictures in one data set", d.cases[0].images[0] + " and " + image, "images of one kind",
             "both", "divide them into two data sets");
}

}  // namespace

void add_case(Dataset& d, Case c, CaseFaults& faults) {
  if (!faults.attempt(Check::data_set, c.id, [&] { require_kind(d, c); })) return;
  if (d.volumes)
    faults.attempt(Check::unreadable, c.id,
                   [&] { c.last_slice = slice_count(read_nifti_header(c.images[0]), d.preprocessing.slice_axis) - 1; });
  d.cases.push_back(std::move(c));
}

void read_case_table(Dataset& d, const std::string& path, const std::vector<std::string>& label_columns,
                     const DatasetSource& source, bool split_required, CaseFaults& faults) {
  const CsvTable table = CsvTable::read(path);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  std::string label_column = label_columns[0];
  for (const std::string& name : label_columns)
    if (table.has(name)) label_column = name;
  const std::size_t image = table.column("image"), label = table.column(label_column);
  const bool has_split = split_required || table.has("split"), has_patient = table.has("patient");
  const std::size_t split = has_split ? table.column("split") : 0;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string where = path + " line " + std::to_string(table.line(row));
    Case c;
    c.id = input_stem(table.at(row, image));
    const auto file = [&](std::size_t column, std::string& path) {
      return faults.attempt(Check::missing_file, c.id,
                            [&] { path = existing_file(folder, table.at(row, column), where); });
    };
    std::string path;
    const bool has_image = file(image, path);
    if (has_split) faults.attempt(Check::data_set, c.id, [&] { c.split = parse_split(table.at(row, split), where); });
    if (c.split != Split::unlabelled) file(label, c.label);
    if (!has_image) continue;
    c.images = {path};
    if (has_patient) c.patient = table.at(row, table.column("patient"));
    add_case(d, std::move(c), faults);
  }
  if (!has_split) draw_parts(d, source.val_share, source.test_share, source.split_seed);
}

}  // namespace gf
