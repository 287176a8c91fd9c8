#include "apps/postprocess_file.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "apps/json_file.h"
#include "data/json_input.h"
#include "engine/io/atomic_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "graphflow postprocess 1";
using namespace postprocessing_keys;

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
    bad_data("bad setting", where_ + ", " + key, expected, excerpt(object_[key]));
  }
  const nlohmann::json& object_;
  std::string where_;
};

ClassCleaning read_class(const nlohmann::json& object, const std::string& where) {
  if (!object.is_object()) bad_data("bad setting", where, "an object", excerpt(object));
  const Settings s(object, where);
  s.known({kMinVoxels, kMinMm3, kLargest, kHoles});
  return {static_cast<std::int64_t>(s.size(kMinVoxels, true)), s.size(kMinMm3, false), s.flag(kLargest),
          s.flag(kHoles)};
}

}  // namespace

nlohmann::ordered_json postprocessing_json(const Postprocessing& p, const std::vector<std::string>& class_names) {
  nlohmann::ordered_json classes = nlohmann::ordered_json::object();
  for (std::size_t id = 1; id < class_names.size(); ++id) {
    const ClassCleaning c = id < p.classes.size() ? p.classes[id] : ClassCleaning{};
    classes[class_names[id]] = {
        {kMinVoxels, c.min_voxels}, {kMinMm3, c.min_mm3}, {kLargest, c.largest_component}, {kHoles, c.fill_holes}};
  }
  return {{kWhole, p.foreground_largest_component}, {"classes", classes}};
}

void write_postprocessing_report(const std::string& file, const PostprocessingChoice& choice,
                                 const std::vector<std::string>& class_names, const std::string& checkpoint,
                                 int cases) {
  nlohmann::ordered_json trials = nlohmann::ordered_json::array();
  for (const PostprocessingTrial& t : choice.trials)
    trials.push_back({{"class", t.class_id == 0 ? "foreground" : class_names[static_cast<std::size_t>(t.class_id)]},
                      {"step", t.step},
                      {"dice_before", number(t.dice_before)},
                      {"dice_after", number(t.dice_after)},
                      {"kept", t.kept}});
  nlohmann::ordered_json j{{"format", kFormat},
                           {"chosen_on", {{"checkpoint", checkpoint}, {"split", "val"}, {"cases", cases}}},
                           {"dice_before", number(choice.dice_before)},
                           {"dice_after", number(choice.dice_after)}};
  j.update(postprocessing_json(choice.chosen, class_names));
  j["trials"] = trials;
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
  if (!(*j)["classes"].is_object()) bad_data("bad setting", file + ", classes", "an object", excerpt((*j)["classes"]));
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

// A choice for this checkpoint that lies beside it and not in it. One that was made for another of the run's files is
// nothing to this one.
static void refuse_forgotten_choice(const std::string& model) {
  const fs::path folder = fs::absolute(model).parent_path();
  if (folder.filename() != "checkpoints") return;
  const std::string beside = (fs::path(model).parent_path().parent_path() / kPostprocessFile).string();
  const std::optional<nlohmann::json> j = read_json(beside, kFormat);
  if (!j) return;
  const nlohmann::json::json_pointer chosen_on("/chosen_on/checkpoint");
  if (j->contains(chosen_on) && (*j)[chosen_on] != fs::path(model).filename().string()) return;
  throw Error(
      ErrorKind::usage,
      {"post-processing was chosen for this model but is not in its file",
       model,
       {},
       beside,
       "choose anew with graphflow postprocess RUN, put that file into the model with graphflow postprocess RUN "
       "--from FILE, or predict with --postprocess FILE or --no-postprocess"});
}

Postprocessing wanted_postprocessing(const PostprocessFlags& flags, const std::string& model,
                                     const NetworkDescription& description) {
  if (flags.off) {
    if (!flags.file.empty())
      throw Error(ErrorKind::usage,
                  {"--postprocess and --no-postprocess contradict each other", flags.file, {}, {}, {}});
    return {};
  }
  if (flags.file.empty() && !description.postprocessing) {
    refuse_forgotten_choice(model);
    return {};
  }
  const Postprocessing p =
      flags.file.empty() ? *description.postprocessing : read_postprocessing(flags.file, description.class_names);
  fmt::print("post-processing of {}: {}\n", flags.file.empty() ? model : flags.file,
             describe(p, description.class_names));
  return p;
}

}  // namespace gf
