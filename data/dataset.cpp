#include "data/dataset.h"

#include <fmt/format.h>

#include <map>

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
static void refuse_repeated_images(const Dataset& d) {
  std::map<std::string, const Case*> first;
  for (const Case& c : d.cases) {
    const auto [at, is_new] = first.emplace(c.images[0], &c);
    if (!is_new)
      bad_data("image is listed twice", c.images[0], "every image once",
               fmt::format("it in the {} and the {} part", name_of(at->second->split), name_of(c.split)));
  }
}

Dataset open_dataset(const DatasetSource& source, const Preprocessing& preprocessing) {
  check(preprocessing);
  Dataset d;
  if (source.layout == "brain")
    d = open_brain(source, preprocessing);
  else if (source.layout == "images_masks")
    d = open_images_masks(source, preprocessing);
  else if (source.layout == "nifti_cases")
    d = open_nifti_cases(source, preprocessing);
  else
    throw Error(ErrorKind::usage,
                {"unknown data set layout", "\"" + source.layout + "\"", "brain, images_masks or nifti_cases", {}, {}});
  d.layout = source.layout;
  if (d.cases.empty()) bad_data("data set holds no cases", d.root, "at least one image with its label", "none");
  if (d.layout != "brain") refuse_repeated_images(d);
  if (d.class_names.empty()) d.class_names = {"background", "foreground"};
  if (!source.split_file.empty()) apply_split(d, source.split_file);
  for (Case& c : d.cases)
    if (c.split == Split::unlabelled) c.label.clear();
  return d;
}

}  // namespace gf
