// Layout monai: a datalist as MONAI and the Decathlon write it. data.root is the JSON file, or a folder with
// datalist.json or dataset.json. Entries {"image": FILE or [one FILE a channel], "label": FILE, "fold": 0} in
// "training", "validation" and "test" ("testing", "val"), named relative to the JSON file or absolutely.
//
// Parts: "validation" validates; else the entries of fold data.fold do; else data.val_share of the cases. "test" tests
// where its entries have labels; else data.test_share of the cases where there are no folds. Class names: "labels".
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/case.h"
#include "data/json_input.h"
#include "data/layouts/case_table.h"
#include "data/layouts/dataset_json.h"
#include "data/layouts/folder.h"
#include "data/layouts/layouts.h"
#include "data/split_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

struct Reading {
  Dataset& d;
  std::string path, folder;
  int fold;
  CaseFaults& faults;
  bool has_folds = false, any_in_fold = false;
};

// Empty where one is missing.
std::vector<std::string> files_of(const nlohmann::json& value, const Reading& r, const std::string& where) {
  std::vector<std::string> files;
  const nlohmann::json list = value.is_array() ? value : nlohmann::json::array({value});
  for (const nlohmann::json& name : list) {
    if (!name.is_string()) bad_data("cannot read datalist", where, "the name of a file", excerpt(name));
    const std::string file = name.get<std::string>();
    r.faults.attempt(Check::missing_file, input_stem(file),
                     [&] { files.push_back(existing_file(r.folder, file, where)); });
  }
  if (list.empty()) bad_data("cannot read datalist", where, "the name of a file", "an empty list");
  if (files.size() < list.size()) files.clear();
  return files;
}

// How many entries of the list had no label and were left out.
std::size_t read_list(Reading& r, const nlohmann::json& json, const std::string& key, Split split) {
  if (!json.contains(key)) return 0;
  if (!json[key].is_array()) bad_data("cannot read datalist", r.path, "a list \"" + key + "\"", json[key].type_name());
  std::size_t left_out = 0, number = 0;
  for (const nlohmann::json& entry : json[key]) {
    const std::string where = r.path + ", " + key + " entry " + std::to_string(number++);
    if (entry.is_string() || (entry.is_object() && !entry.contains("label") && split != Split::train)) {
      ++left_out;  // to be predicted, not scored
      continue;
    }
    if (!entry.is_object() || !entry.contains("image") || !entry.contains("label"))
      bad_data("cannot read datalist", where, "\"image\" and \"label\"", excerpt(entry));
    Case c;
    c.images = files_of(entry["image"], r, where);
    const std::vector<std::string> labels = files_of(entry["label"], r, where);
    if (labels.size() > 1)
      bad_data("case with several labels", where, "one file of class ids", std::to_string(labels.size()));
    if (c.images.empty()) continue;
    c.id = input_stem(c.images[0]);
    if (!labels.empty()) c.label = labels[0];
    c.split = split;
    if (split == Split::train && entry.contains("fold")) {
      if (!entry["fold"].is_number_integer())
        bad_data("cannot read datalist", where, "a number \"fold\"", excerpt(entry["fold"]));
      r.has_folds = true;
      if (entry["fold"].get<long long>() == r.fold) c.split = Split::val, r.any_in_fold = true;
    }
    add_case(r.d, std::move(c), r.faults);
  }
  return left_out;
}

}  // namespace

Dataset open_monai(const DatasetSource& source, const Preprocessing& preprocessing, CaseFaults& faults) {
  Dataset d;
  d.root = source.root;
  d.preprocessing = preprocessing;
  const std::string path = list_file(source.root, {"datalist.json", "dataset.json"}, "monai");
  const nlohmann::json json = read_json_object(path);
  d.class_names = source.class_names;
  if (d.class_names.empty() && json.contains("labels") && json["labels"].is_object())
    d.class_names = class_names_of(json["labels"], path);
  Reading r{d, path, std::filesystem::path(path).parent_path().string(), source.fold, faults};
  read_list(r, json, "training", Split::train);
  if (d.cases.empty()) bad_data("datalist without training cases", path, "a list \"training\" with entries", "none");
  std::size_t left_out = 0;
  for (const char* key : {"validation", "val"}) left_out += read_list(r, json, key, Split::val);
  for (const char* key : {"test", "testing"}) left_out += read_list(r, json, key, Split::test);
  if (left_out > 0) faults.note(std::to_string(left_out) + " entries of " + path + " have no label and take no part");
  if (r.has_folds && !r.any_in_fold)
    bad_data("no such fold", path, "entries of fold " + std::to_string(source.fold), "none", "set data.fold");
  bool has_val = false, has_test = false;
  for (const Case& c : d.cases) has_val |= c.split == Split::val, has_test |= c.split == Split::test;
  draw_parts(d, has_val ? 0 : source.val_share, has_test || has_val ? 0 : source.test_share, source.split_seed);
  return d;
}

}  // namespace gf
