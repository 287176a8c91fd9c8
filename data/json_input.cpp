#include "data/json_input.h"

#include <nlohmann/json.hpp>

#include "data/gz_stream.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr int kDeepest = 64;
constexpr std::size_t kLongest = 80;  // characters of an excerpt

}  // namespace

nlohmann::json read_json_file(const std::string& path) {
  const std::vector<std::uint8_t> bytes = read_list_file(path);
  const auto shallow = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kDeepest) bad_data("JSON file is nested too deep", path, std::to_string(kDeepest) + " levels", "more");
    return true;
  };
  nlohmann::json json = nlohmann::json::parse(bytes.begin(), bytes.end(), shallow, /*allow_exceptions=*/false);
  if (json.is_discarded()) bad_data("not a JSON file", path);
  return json;
}

std::string excerpt(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', /*ensure_ascii=*/true);
  if (text.size() > kLongest) text.replace(kLongest, std::string::npos, " ...");
  return text;
}

}  // namespace gf
