// Layout csv: a table index.csv (or data.root names the table) with the columns image, label, and where there are such
// patient and split. Pictures with masks, or NIfTI volumes; files are named relative to the table or absolutely.
// Without split the parts are drawn, a patient's cases together.
#include <filesystem>

#include "data/layouts/case_table.h"
#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"

namespace gf {

Dataset open_csv(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d;
  const std::string table = list_file(source.root, {"index.csv"}, "csv");
  d.root = source.root;
  d.class_names = source.class_names;
  d.preprocessing = preprocessing;
  read_case_table(d, table, {"label", "mask"}, source, /*split_required=*/false, faults);
  return d;
}

}  // namespace gf
