#include "apps/json_file.h"

#include <filesystem>

#include "data/json_input.h"
#include "kernels/error.h"

namespace gf {

std::optional<nlohmann::json> read_json(const std::string& file, const std::string& format) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  nlohmann::json j = read_json_file(file);
  if (!j.is_object() || j.value("format", nlohmann::json()) != format)
    bad_data("cannot read file", file, "JSON of the format \"" + format + "\"", "something else", "move it away");
  return j;
}

nlohmann::json parse_json_file(const std::string& file, const std::string& remedy) {
  try {
    return read_json_file(file);
  } catch (const Error& e) {
    bad_data("broken file of a run", file, e.parts().expected, e.parts().found, remedy);
  }
}

}  // namespace gf
