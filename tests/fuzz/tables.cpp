// The small text files of a data set: index.csv, split tables, dataset.json.
#include "data/csv.h"
#include "data/layouts/dataset_json.h"
#include "data/split_file.h"
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gf;
  const fuzz::InputAsFile file(data, size, ".csv");
  fuzz::refuses_or_reads([&] {
    const CsvTable table = CsvTable::read(file.path());
    for (std::size_t i = 0; i < table.rows(); ++i) (void)table.at(i, 0);
  });
  fuzz::refuses_or_reads([&] {
    Dataset d;
    d.cases = {{"a", {"a.png"}, "a_mask.png", Split::train}, {"b", {"b.png"}, "b_mask.png", Split::test}};
    apply_split(d, file.path());
  });
  fuzz::refuses_or_reads([&] { class_names_from_json(file.path()); });
  return 0;
}
