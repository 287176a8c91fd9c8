#include "apps/json_file.h"

#include <fstream>

#include "kernels/error.h"

namespace gf {

std::optional<nlohmann::json> read_json(const std::string& file, const std::string& format) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return {};
  nlohmann::json j = nlohmann::json::parse(in, nullptr, false);
  if (!j.is_object() || j.value("format", nlohmann::json()) != format)
    bad_data("cannot read file", file, "JSON of the format \"" + format + "\"", "something else", "move it away");
  return j;
}

nlohmann::json parse_json_file(const std::string& file, const std::string& remedy) {
  std::ifstream in(file, std::ios::binary);
  try {
    return nlohmann::json::parse(in);
  } catch (const nlohmann::json::exception& e) {
    bad_data("broken file of a run", file, "JSON", e.what(), remedy);
  }
}

}  // namespace gf
