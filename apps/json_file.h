#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace gf {

// The JSON object in the file; nothing where there is no such file. bad_data where it is none of this "format".
std::optional<nlohmann::json> read_json(const std::string& file, const std::string& format);

// What is in a file that must be there; bad_data with this remedy where it is no JSON.
nlohmann::json parse_json_file(const std::string& file, const std::string& remedy);

}  // namespace gf
