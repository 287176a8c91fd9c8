#include "data/layouts/dataset_json.h"

#include <map>
#include <nlohmann/json.hpp>

#include "data/json_input.h"
#include "kernels/error.h"

namespace gf {
namespace {

// {"0": "CT", "1": "PET"}, in the order of the numbers.
std::vector<std::string> numbered_names(const nlohmann::json& json, const char* key, const std::string& path) {
  std::vector<std::string> names;
  if (!json.contains(key)) return names;
  const nlohmann::json& map = json[key];
  for (std::size_t i = 0; map.is_object() && i < map.size(); ++i) {
    const std::string number = std::to_string(i);
    if (!map.contains(number) || !map[number].is_string())
      bad_data("cannot read channel names", path, "a name for channel " + number, excerpt(map));
    names.push_back(map[number].get<std::string>());
  }
  return names;
}

}  // namespace

nlohmann::json read_json_object(const std::string& path) {
  nlohmann::json json = read_json_file(path);
  if (!json.is_object()) bad_data("not a JSON object", path, "{ ... }", json.type_name());
  return json;
}

std::vector<std::string> class_names_of(const nlohmann::json& labels, const std::string& path) {
  std::map<std::string, std::string> names;  // id as text to name
  for (const auto& [key, value] : labels.items()) {
    if (value.is_string())
      names[key] = value.get<std::string>();
    else if (value.is_number_integer())
      names[std::to_string(value.get<long long>())] = key;
    else
      bad_data("cannot read class names", path, "a name or a number for label \"" + key + "\"", excerpt(value),
               "regions of several labels are not supported");
  }
  std::vector<std::string> out;
  for (std::size_t id = 0; id < names.size(); ++id) {
    const auto found = names.find(std::to_string(id));
    if (found == names.end())
      bad_data("class ids have a gap", path, "a label " + std::to_string(id),
               std::to_string(names.size()) + " labels without it");
    out.push_back(found->second);
  }
  return out;
}

std::vector<std::string> class_names_from_json(const std::string& path) {
  const nlohmann::json json = read_json_object(path);
  if (!json.contains("labels") || !json["labels"].is_object())
    bad_data("cannot read class names", path, "an object \"labels\"", "none", "set data.class_names in the config");
  return class_names_of(json["labels"], path);
}

DatasetDescription read_dataset_json(const std::string& path) {
  DatasetDescription d;
  d.class_names = class_names_from_json(path);
  const nlohmann::json json = read_json_object(path);
  if (d.class_names.size() > 1 && d.class_names.back() == "ignore") {
    d.ignore_index = static_cast<int>(d.class_names.size()) - 1;
    d.class_names.pop_back();
  }
  d.channels = numbered_names(json, "channel_names", path);
  if (d.channels.empty()) d.channels = numbered_names(json, "modality", path);
  if (json.contains("file_ending")) {
    if (!json["file_ending"].is_string()) bad_data("cannot read dataset.json", path, "a text \"file_ending\"");
    d.ending = json["file_ending"].get<std::string>();
  }
  if (json.contains("numTraining") && json["numTraining"].is_number_integer())
    d.training_cases = json["numTraining"].get<std::int64_t>();
  return d;
}

}  // namespace gf
