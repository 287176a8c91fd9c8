#include "data/layouts/dataset_json.h"

#include <map>
#include <nlohmann/json.hpp>

#include "data/gz_stream.h"
#include "kernels/error.h"

namespace gf {

std::vector<std::string> class_names_from_json(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_whole_file(path);
  const nlohmann::json json = nlohmann::json::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) bad_data("not a JSON file", path);
  if (!json.is_object() || !json.contains("labels") || !json["labels"].is_object())
    bad_data("cannot read class names", path, "an object \"labels\"", "none", "set data.class_names in the config");
  std::map<std::string, std::string> names;  // id as text to name
  for (const auto& [key, value] : json["labels"].items()) {
    if (value.is_string())
      names[key] = value.get<std::string>();
    else if (value.is_number_integer())
      names[std::to_string(value.get<long long>())] = key;
    else
      bad_data("cannot read class names", path, "a name or a number for label \"" + key + "\"", value.dump(),
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

}  // namespace gf
