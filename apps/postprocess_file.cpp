#include "apps/postprocess_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/json_file.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "graphflow postprocess 1";
constexpr const char* kWhole = "foreground_largest_component";
constexpr const char* kLargest = "largest_component";
constexpr const char* kHoles = "fill_holes";
constexpr const char* kMinVoxels = "min_voxels";
constexpr const char* kMinMm3 = "min_mm3";

// NaN has no JSON.
nlohmann::json number(double v) { return std::isfinite(v) ? nlohmann::json(v) : nlohmann::json(); }

// The settings of one class, or of the file, as they are asked for.
class Settings {
 public:
  Settings(const nlohmann::json& object, std::string where) : object_(object), where_(std::move(where)) {}

  bool flag(const char* key) const {
    if (!object_.contains(key)) return false;
    if (!object_[key].is_boolean()) refuse(key, "true or false");
    return object_[key].get<bool>();
  }
  double size(const char* key, bool whole) const {
    if (!object_.contains(key)) return 0;
    const nlohmann::json& v = object_[key];
    const char* expected = whole ? "a whole number, at least 0" : "a number, at least 0";
    if (!v.is_number() || (whole && !v.is_number_integer()) || !(v.get<double>() >= 0) || v.get<double>() > 1e15)
      refuse(key, expected);
    return v.get<double>();
  }
  void known(std::initializer_list<const char*> keys) const {
    for (const auto& [key, value] : object_.items())
      if (std::none_of(keys.begin(), keys.end(), [&, &k = key](const char* name) { return k == name; }))
        bad_data("unknown key", where_, fmt::format("{}", fmt::join(keys, ", ")), key);
  }

 private:
  [[noreturn]] void refuse(const char* key, const char* expected) const {
    bad_data("bad setting", where_ + ", " + key, expected, object_[key].dump());
  }
  const nlohmann::json& object_;
  std::string where_;
};

ClassCleaning read_class(const nlohmann::json& object, const std::string& where) {
  if (!object.is_object()) bad_data("bad setting", where, "an object", object.dump());
  const Settings s(object, where);
  s.known({kMinVoxels, kMinMm3, kLargest, kHoles});
  return {static_cast<std::int64_t>(s.size(kMinVoxels, true)), s.size(kMinMm3, false), s.flag(kLargest),
          s.flag(kHoles)};
}

}  // namespace

void write_postprocessing(const std::string& file, const PostprocessingChoice& choice,
                          const std::vector<std::string>& class_names, const std::string& checkpoint, int cases) {
  nlohmann::ordered_json classes = nlohmann::ordered_json::object(), trials = nlohmann::ordered_json::array();
  for (std::size_t id = 1; id < class_names.size(); ++id) {
    const ClassCleaning& c = choice.chosen.classes[id];
    classes[class_names[id]] = {
        {kMinVoxels, c.min_voxels}, {kMinMm3, c.min_mm3}, {kLargest, c.largest_component}, {kHoles, c.fill_holes}};
  }
  for (const PostprocessingTrial& t : choice.trials)
    trials.push_back({{"class", t.class_id == 0 ? "foreground" : class_names[static_cast<std::size_t>(t.class_id)]},
                      {"step", t.step},
                      {"dice_before", number(t.dice_before)},
                      {"dice_after", number(t.dice_after)},
                      {"kept", t.kept}});
  const nlohmann::ordered_json j{{"format", kFormat},
                                 {"chosen_on", {{"checkpoint", checkpoint}, {"split", "val"}, {"cases", cases}}},
                                 {"dice_before", number(choice.dice_before)},
                                 {"dice_after", number(choice.dice_after)},
                                 {kWhole, choice.chosen.foreground_largest_component},
                                 {"classes", classes},
                                 {"trials", trials}};
  write_file_atomically(file, j.dump(2) + "\n");
}

Postprocessing read_postprocessing(const std::string& file, const std::vector<std::string>& class_names) {
  const std::optional<nlohmann::json> j = read_json(file, kFormat);
  if (!j) bad_data("no such file", file, "settings that graphflow postprocess writes", "none");
  const Settings s(*j, file);
  s.known({"format", "chosen_on", "dice_before", "dice_after", kWhole, "classes", "trials"});
  Postprocessing p;
  p.foreground_largest_component = s.flag(kWhole);
  p.classes.resize(class_names.size());
  if (!j->contains("classes")) return p;
  if (!(*j)["classes"].is_object()) bad_data("bad setting", file + ", classes", "an object", (*j)["classes"].dump());
  for (const auto& [name, settings] : (*j)["classes"].items()) {
    const auto at = std::find(class_names.begin() + 1, class_names.end(), name);
    if (at == class_names.end())
      bad_data("unknown class", file,
               fmt::format("foreground classes of the model: {}",
                           fmt::join(class_names.begin() + 1, class_names.end(), ", ")),
               name, "choose anew: graphflow postprocess RUN");
    p.classes[static_cast<std::size_t>(at - class_names.begin())] = read_class(settings, file + ", class " + name);
  }
  return p;
}

std::string describe(const Postprocessing& p, const std::vector<std::string>& class_names) {
  std::vector<std::string> parts;
  if (p.foreground_largest_component) parts.push_back("foreground: largest component");
  for (std::size_t id = 1; id < p.classes.size(); ++id) {
    const ClassCleaning& c = p.classes[id];
    std::vector<std::string> steps;
    if (c.min_voxels > 0) steps.push_back(fmt::format("objects from {} voxels", c.min_voxels));
    if (c.min_mm3 > 0) steps.push_back(fmt::format("objects from {:g} mm3", c.min_mm3));
    if (c.largest_component) steps.push_back("largest component");
    if (c.fill_holes) steps.push_back("holes filled");
    if (!steps.empty()) parts.push_back(fmt::format("{}: {}", class_names[id], fmt::join(steps, ", ")));
  }
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, "; "));
}

Postprocessing wanted_postprocessing(const PostprocessFlags& flags, const std::string& model,
                                     const std::vector<std::string>& class_names) {
  if (flags.off) {
    if (!flags.file.empty())
      throw Error(ErrorKind::usage,
                  {"--postprocess and --no-postprocess contradict each other", flags.file, {}, {}, {}});
    return {};
  }
  std::string file = flags.file;
  if (file.empty()) {
    const fs::path folder = fs::absolute(model).parent_path();
    if (folder.filename() != "checkpoints") return {};
    const fs::path beside = fs::path(model).parent_path().parent_path() / kPostprocessFile;
    if (!fs::exists(beside)) return {};
    file = beside.string();
  }
  const Postprocessing p = read_postprocessing(file, class_names);
  fmt::print("post-processing of {}: {}\n", file, describe(p, class_names));
  return p;
}

}  // namespace gf
