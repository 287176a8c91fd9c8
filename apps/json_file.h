#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace gf {

// The JSON object in the file; nothing where there is no such file. bad_data where it is none of this "format".
std::optional<nlohmann::json> read_json(const std::string& file, const std::string& format);

}  // namespace gf
