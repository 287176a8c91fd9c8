#include "data/dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <initializer_list>
#include <map>

#include "data/case.h"
#include "data/layouts/layouts.h"
#include "data/split_file.h"
#include "kernels/error.h"

namespace gf {

const char* name_of(Split s) {
  switch (s) {
    case Split::train:
      return "train";
    case Split::val:
      return "val";
    case Split::test:
      return "test";
    case Split::unlabelled:
      return "unlabelled";
  }
  return "";
}

Split parse_split(const std::string& text, const std::string& where) {
  if (text == "train") return Split::train;
  if (text == "val" || text == "validation") return Split::val;
  if (text == "test") return Split::test;
  if (text == "unlabelled" || text == "unlabeled") return Split::unlabelled;
  bad_data("unknown split", where, "train, val, test or unlabelled", "\"" + text + "\"");
}

std::vector<Sample> samples_of(const Dataset& dataset, Split split) {
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < dataset.cases.size(); ++i)
    if (dataset.cases[i].split == split)
      for (std::int64_t s = 0; s < dataset.cases[i].slices(); ++s) samples.push_back({i, s});
  return samples;
}

// An image listed twice would be trained on and tested on. (The cases of brain are parts of one volume by design.)
static void refuse_repeated_images(const Dataset& d, CaseFaults& faults) {
  std::map<std::string, const Case*> first;
  for (const Case& c : d.cases) {
    const auto [at, is_new] = first.emplace(c.images[0], &c);
    faults.attempt(Check::duplicate_image, c.id, [&, &at = at, &is_new = is_new] {
      if (!is_new)
        bad_data("image is listed twice", c.images[0], "every image once",
                 fmt::format("it in the {} and the {} part", name_of(at->second->split), name_of(c.split)));
    });
  }
}

// A setting that only some layouts know would be ignored without a word by the others.
static void refuse_unknown_settings(const DatasetSource& s) {
  const auto only = [&](bool given, const char* key, std::initializer_list<const char*> known) {
    if (!given || std::find(known.begin(), known.end(), s.layout) != known.end()) return;
    throw Error(ErrorKind::usage, {"setting that the layout does not know", key,
                                   fmt::format("layout {}", fmt::join(known, " or ")), s.layout, "leave it out"});
  };
  only(!s.subsets.empty(), "data.subsets", {"busi"});
  only(!s.keep_sequences, "data.split_by = \"random\"", {"cvc"});
  only(!s.class_order.empty(), "data.class_order", {"synapse", "btcv"});
  only(s.fold != 0, "data.fold", {"monai", "nnunet"});
}

// How many tiles a case has depends on its part.
static void count_tiles(Dataset& d, CaseFaults& faults) {
  for (Case& c : d.cases)
    faults.attempt(Check::unreadable, c.id,
                   [&] { c.last_slice = tiles_of(c, read_image_extent(c.images[0])).count() - 1; });
}

std::span<const Layout> layouts() {
  static constexpr Layout all[] = {
      {"brain", open_brain},
      {"images_masks", open_images_masks},
      {"nifti_cases", open_nifti_cases},
      {"csv", open_csv},
      {"busi", open_busi},
      {"cvc", open_cvc},
      {"nnunet", open_nnunet},
      {"monai", open_monai},
      {"synapse", open_synapse},
      {"btcv", open_btcv},
      {"gastric", open_gastric},
  };
  return all;
}

std::vector<std::string> layout_names() {
  std::vector<std::string> names;
  for (const Layout& l : layouts()) names.push_back(l.name);
  return names;
}

Dataset open_dataset(const DatasetSource& source, const Preprocessing& preprocessing) {
  CaseFaults stop_at_first(/*collects=*/false);
  return open_dataset(source, preprocessing, stop_at_first);
}

Dataset open_dataset(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  check(preprocessing);
  const auto known = layouts();
  const auto layout =
      std::find_if(known.begin(), known.end(), [&](const Layout& l) { return l.name == source.layout; });
  if (layout == known.end())
    throw Error(ErrorKind::usage, {"unknown data set layout",
                                   "\"" + source.layout + "\"",
                                   fmt::format("{}", fmt::join(layout_names(), ", ")),
                                   {},
                                   {}});
  refuse_unknown_settings(source);
  Dataset d = layout->open(source, preprocessing, faults);
  d.layout = source.layout;
  if (d.cases.empty()) bad_data("data set holds no cases", d.root, "at least one image with its label", "none");
  if (d.layout != "brain") refuse_repeated_images(d, faults);
  if (d.class_names.empty()) d.class_names = {"background", "foreground"};
  if (!source.split_file.empty()) faults.attempt(Check::data_set, "", [&] { apply_split(d, source.split_file); });
  if (d.preprocessing.tiling != Tiling::none) count_tiles(d, faults);
  for (Case& c : d.cases)
    if (c.split == Split::unlabelled) c.label.clear(), c.more_labels.clear();
  d.notes = faults.take_notes();
  return d;
}

}  // namespace gf
