#pragma once
// JSON that people hand to us: dataset.json, datalists, folds, settings.
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace gf {

// bad_data where the file cannot be read, is no JSON, is larger than any list of files, or is nested so deep that what
// the library does level by level on the stack (copies, text) could exhaust it.
nlohmann::json read_json_file(const std::string& path);

// The beginning of a value's text, in ASCII, for messages.
std::string excerpt(const nlohmann::json& value);

}  // namespace gf
