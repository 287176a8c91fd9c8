#include "apps/model_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/split_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

// Decided by the networks: what two of them need together is more than what one does.
bool is_padding(const std::string& key) { return key == "stride" || key == "min_height" || key == "min_width"; }

// The settings that differ, as "normalisation percentile, not zscore".
std::vector<std::string> differences(const Preprocessing& trained, const Preprocessing& now) {
  const auto then_fields = trained.to_fields(), now_fields = now.to_fields();
  std::vector<std::string> list;
  const auto value = [](const std::map<std::string, std::string>& fields, const std::string& key) {
    const auto at = fields.find(key);
    return at == fields.end() ? std::string("none") : at->second;
  };
  std::map<std::string, std::string> keys = then_fields;
  keys.insert(now_fields.begin(), now_fields.end());
  for (const auto& [key, unused] : keys)
    if (!is_padding(key) && value(then_fields, key) != value(now_fields, key))
      list.push_back(fmt::format("{} {}, not {}", key, value(then_fields, key), value(now_fields, key)));
  return list;
}

// With every label there is: how a teacher of all labels was trained beside a student of a few.
Dataset all_labelled(Dataset d) {
  for (Case& c : d.cases)
    if (c.split == Split::unlabelled) c.split = Split::train;
  return d;
}

}  // namespace

void require_fit(const NetworkFile& model, const Dataset& dataset, const std::string& file) {
  const NetworkDescription& d = model.description;
  if (d.options.classes != dataset.classes())
    bad_data("the model knows other classes than the data set", file,
             fmt::format("{} ({})", dataset.classes(), joined(dataset.class_names)),
             fmt::format("{} ({})", d.options.classes, joined(d.class_names)),
             "use a model trained on the same classes");
  if (d.class_names != dataset.class_names &&
      std::is_permutation(d.class_names.begin(), d.class_names.end(), dataset.class_names.begin(),
                          dataset.class_names.end()))
    bad_data("the model has the classes in another order than the data set", file, joined(dataset.class_names),
             joined(d.class_names), "give data.class_names and data.label_map the order it was trained with");
  if (d.options.in_channels != dataset.preprocessing.channels)
    bad_data("the model takes pictures of another number of channels", file,
             fmt::format("{} (data.channels)", dataset.preprocessing.channels), std::to_string(d.options.in_channels),
             "set data.channels as it was trained, or use another model");
}

std::vector<std::string> doubts_about_teacher(const NetworkFile& teacher, const Dataset& dataset) {
  const NetworkDescription& d = teacher.description;
  std::vector<std::string> doubts;
  if (d.class_names != dataset.class_names)
    doubts.push_back(fmt::format("the teacher's classes are called {}, those of the data set {}", joined(d.class_names),
                                 joined(dataset.class_names)));
  const std::vector<std::string> other = differences(d.preprocessing, dataset.preprocessing);
  if (!other.empty())
    doubts.push_back(fmt::format("the teacher was trained on pictures prepared otherwise: {}", joined(other)));
  const auto split = teacher.entries.find("split");
  if (split != teacher.entries.end() && split->second != split_fingerprint(dataset) &&
      split->second != split_fingerprint(all_labelled(dataset)))
    doubts.push_back(
        "the teacher was trained on another division of the cases: it may have learned from some that are validation "
        "or test cases here");
  return doubts;
}

}  // namespace gf
