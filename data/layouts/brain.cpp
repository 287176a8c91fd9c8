#include "data/layouts/brain.h"

#include <fmt/format.h>

#include <filesystem>
#include <sstream>

#include "data/gz_stream.h"
#include "data/layouts/case_faults.h"
#include "data/layouts/folder.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

constexpr const char* package_folder = "/usr/share/mricron/templates";
constexpr int sagittal = 0;
constexpr std::int64_t mirror_sum = 181;  // slice i faces slice 181 - i

const std::vector<std::string> class_names = {"background", "frontal",   "insula",   "limbic",    "occipital",
                                              "parietal",   "deep gray", "temporal", "cerebellum"};

struct Block {
  std::int64_t first, last;
  Split split;
};
constexpr Block blocks[] = {
    {17, 26, Split::train}, {28, 32, Split::val}, {34, 46, Split::train}, {48, 52, Split::val},
    {54, 66, Split::train}, {68, 72, Split::val}, {74, 85, Split::train}, {95, 162, Split::test},
};

std::string template_file(const std::string& root, const char* name) {
  const fs::path path = fs::path(root) / name;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored))
    bad_data("data set brain is not installed", path.string(), "a file of the package mricron-data", "nothing",
             "apt-get install mricron-data");
  return path.string();
}

// Lines "index name code" to region index -> class id.
LabelMap region_classes(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_whole_file(path);
  std::istringstream text(std::string(bytes.begin(), bytes.end()));
  LabelMap map;
  int index = 0, code = 0;
  std::string name;
  while (text >> index >> name >> code) {
    const int id = code / 1000 - 1;
    if (id < 1 || id >= static_cast<int>(class_names.size()))
      bad_data("unknown brain region", path, "a code from 2000 to 9999", fmt::format("{} for {}", code, name));
    map.entries[index] = id;
  }
  if (!text.eof() || map.entries.empty())
    bad_data("cannot read brain regions", path, "lines of index, name and code",
             fmt::format("something else after {} lines", map.entries.size()));
  return map;
}

}  // namespace

Dataset open_brain(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults&) {
  Dataset d;
  d.root = source.root.empty() ? package_folder : source.root;
  d.class_names = class_names;
  d.volumes = true;
  const std::string image = template_file(d.root, "ch2.nii.gz"), label = template_file(d.root, "aal.nii.gz");
  d.preprocessing = preprocessing;
  d.preprocessing.channels = 1;
  d.preprocessing.slice_axis = sagittal;
  d.preprocessing.label_map = region_classes(template_file(d.root, "aal.nii.txt"));
  const std::int64_t slices = slice_count(read_nifti_header(image), sagittal);
  if (slices != mirror_sum)
    bad_data("data set brain has another size", image, fmt::format("{} sagittal slices", mirror_sum),
             std::to_string(slices), "use the file of Debian's package mricron-data");
  for (const Block& b : blocks)
    d.cases.push_back({fmt::format("ch2_x{:03}-{:03}", b.first, b.last), {image}, label, b.split, b.first, b.last});
  return d;
}

ConfusionMatrix brain_mirror_reference(const Dataset& brain) {
  ConfusionMatrix confusion(brain.classes());
  for (const Case& c : brain.cases) {
    if (c.split != Split::test) continue;
    LabelVolume labels = read_nifti_labels(c.label);
    brain.preprocessing.label_map.apply(labels.voxels, brain.classes(), c.label);
    for (std::int64_t i = c.first_slice; i <= c.last_slice; ++i)
      confusion.add(label_slice(labels, sagittal, i).values, label_slice(labels, sagittal, mirror_sum - i).values);
  }
  return confusion;
}

}  // namespace gf
