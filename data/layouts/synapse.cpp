// Layout synapse: the Synapse multi-organ data as TransUNet ships it.
//
//   train_npz/case0005_slice000.npz     arrays image and label, H x W; image clipped to -125..275 HU, scaled to 0..1
//   test_vol_h5/case0001.npy.h5         datasets image and label, D x H x W
//   lists_Synapse/train.txt, test_vol.txt   names without ending, one a line; also in lists/lists_Synapse, or beside
//                                           data.root, or its parent; without them every file takes part
//
// A case is a volume: its slices train one by one, its scores are taken over all of them. 18 cases (2211 slices) train,
// 12 test; data.val_share of the 18 validate (0: none, as TransUNet does). Labels 1 to 8 are the organs in
// data.class_order; the first volume's organ sizes are held against it. data.normalisation is not asked: none.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "data/array_files.h"
#include "data/gz_stream.h"
#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"
#include "data/split_file.h"
#include "data/synapse_classes.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

constexpr const char *kTrain = "train_npz", *kTest = "test_vol_h5", *kTestEnding = ".npy.h5";

// The folder with the lists, "" where there is none.
std::string find_lists(const std::string& root) {
  std::error_code ignored;
  const fs::path here = fs::absolute(root);
  for (const fs::path& at : {here, here.parent_path(), here.parent_path().parent_path()})
    for (const char* name : {"lists_Synapse", "lists/lists_Synapse"})
      if (fs::is_regular_file(at / name / "train.txt", ignored)) return (at / name).string();
  return {};
}

// Names in the list, or of the folder's files without ending.
std::vector<std::string> names_of(const std::string& lists, const char* list, const std::string& folder,
                                  const std::string& ending, CaseFaults& faults) {
  std::vector<std::string> names;
  std::error_code ignored;
  const fs::path path = fs::path(lists) / list;
  if (!lists.empty() && fs::is_regular_file(path, ignored)) {
    const std::vector<std::uint8_t> bytes = read_list_file(path.string());
    std::istringstream text(std::string(bytes.begin(), bytes.end()));
    std::size_t number = 0;
    for (std::string line; std::getline(text, line);) {
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
      if (line.empty()) continue;
      const std::string where = fmt::format("{} line {}", path.string(), ++number);
      // Cases are called so, and files that are made of them.
      const bool plain = faults.attempt(Check::data_set, line, [&] {
        if (fs::path(line).filename() != line)
          bad_data("the list leads to another folder", where, "the name of a file in " + folder, line);
      });
      if (plain && faults.attempt(Check::missing_file, line, [&] { existing_file(folder, line + ending, where); }))
        names.push_back(line);
    }
    return names;
  }
  if (!fs::is_directory(folder, ignored)) return names;
  for (const std::string& name : file_names(folder))
    if (name.ends_with(ending)) names.push_back(name.substr(0, name.size() - ending.size()));
  return names;
}

int case_number(const std::string& id) {
  int n = 0;
  const std::size_t digits = id.find_first_of("0123456789");
  if (digits != std::string::npos) std::from_chars(id.data() + digits, id.data() + id.size(), n);
  return n;
}

void add_training_cases(Dataset& d, const std::string& lists, CaseFaults& faults) {
  const std::string folder = (fs::path(d.root) / kTrain).string();
  std::map<std::string, std::vector<std::string>> slices;
  for (const std::string& name : names_of(lists, "train.txt", folder, ".npz", faults)) {
    const std::size_t at = name.rfind("_slice");
    const bool is_slice = faults.attempt(Check::data_set, name, [&] {
      if (at == std::string::npos)
        bad_data("not a slice of a case", (fs::path(folder) / (name + ".npz")).string(),
                 "a name like case0005_slice000", name);
    });
    if (is_slice) slices[name.substr(0, at)].push_back((fs::path(folder) / (name + ".npz")).string());
  }
  std::int64_t all = 0;
  std::string unlike;
  for (auto& [id, files] : slices) {
    std::ranges::sort(files, {}, [](const std::string& f) { return std::pair(f.size(), f); });  // 99 before 100
    if (const int published = published_slices(case_number(id)); published != static_cast<int>(files.size()))
      unlike += fmt::format("{}{} {} for {}", unlike.empty() ? "" : ", ", id, files.size(), published);
    all += static_cast<std::int64_t>(files.size());
    Case c;
    c.id = id;
    c.label = files[0];
    c.last_slice = static_cast<std::int64_t>(files.size()) - 1;
    c.images = std::move(files);
    d.cases.push_back(std::move(c));
  }
  if (all != kPublishedSlices || !unlike.empty() || slices.size() != 18)
    faults.note(fmt::format("warning: synapse: {} training slices in {} cases, TransUNet's list has {} in 18{}{}", all,
                            slices.size(), kPublishedSlices, unlike.empty() ? "" : "; slices: ", unlike));
}

void add_test_cases(Dataset& d, const std::string& lists, CaseFaults& faults) {
  const std::string folder = (fs::path(d.root) / kTest).string();
  std::int64_t cases = 0;
  bool all_know_geometry = true;
  for (const std::string& name : names_of(lists, "test_vol.txt", folder, kTestEnding, faults)) {
    Case c;
    c.id = name;
    c.images = {(fs::path(folder) / (name + kTestEnding)).string()};
    c.label = c.images[0];
    c.split = Split::test;
    faults.attempt(Check::unreadable, c.id, [&] {
      const StackShape shape = read_stack_shape(c.images[0]);
      all_know_geometry = all_know_geometry && shape.has_geometry;
      c.last_slice = shape.slices - 1;
      if (shape.has_label) return;
      c.label.clear();
      bad_data("HDF5 file lacks a dataset", c.images[0], "a dataset \"label\"", "image");
    });
    d.cases.push_back(std::move(c));
    ++cases;
  }
  if (cases != 12) faults.note(fmt::format("warning: synapse: {} test cases, TransUNet's list has 12", cases));
  if (!all_know_geometry)
    faults.note(
        "synapse: the files hold no voxel sizes; distances count every voxel as 1 mm, or as eval.spacing = [SLICES, "
        "HEIGHT, WIDTH] says");
}

void check_order(const Dataset& d, const OrganOrder& order, CaseFaults& faults) {
  if (d.cases.empty()) return;
  const auto test = std::ranges::find(d.cases, Split::test, &Case::split);
  const Case& c = test != d.cases.end() ? *test : d.cases.front();
  OrganSizes sizes;
  constexpr std::int64_t every = 4;      // slices: enough to tell a liver from an aorta
  CaseFaults untold(faults.collects());  // a label that does not read is told with its case
  untold.attempt(Check::unreadable, c.id, [&] {
    for (std::int64_t z = 0; z <= c.last_slice; z += every) sizes.add(read_label_stack(c.images, z, z)[0]);
  });
  const std::vector<std::string> doubts = sizes.doubts(order), others = sizes.plausible_orders();
  if (doubts.empty()) return;
  faults.note(fmt::format(
      "warning: synapse: data.class_order = \"{}\" does not look right: in {} {}; {}", order.name, c.id,
      fmt::join(doubts, ", and "),
      others.empty() ? "no known order fits" : fmt::format("orders that fit: {}", fmt::join(others, ", "))));
}

}  // namespace

Dataset open_synapse(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d;
  d.root = existing_folder(source.root);
  if (!has_folder(d.root, kTrain) && !has_folder(d.root, kTest))
    bad_data("not the layout synapse", d.root, "folders train_npz and test_vol_h5", "neither");
  const OrganOrder& order = find_organ_order(source.class_order.empty() ? "transunet" : source.class_order);
  d.class_names = source.class_names.empty() ? organ_class_names(order) : source.class_names;
  d.volumes = true;
  d.preprocessing = preprocessing;
  d.preprocessing.normalisation = Normalisation::none;
  d.preprocessing.slice_axis = 2;
  faults.note(fmt::format("synapse: labels in the order {}: {}", order.name, organ_list(order)));
  const std::string lists = find_lists(d.root);
  if (lists.empty()) faults.note("synapse: no lists_Synapse: every file takes part");
  add_training_cases(d, lists, faults);
  draw_parts(d, source.val_share, 0, source.split_seed);
  add_test_cases(d, lists, faults);
  check_order(d, order, faults);
  return d;
}

}  // namespace gf
