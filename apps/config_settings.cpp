#include "apps/config_settings.h"

#include <algorithm>

#include "apps/config_keys.h"

namespace gf {
namespace {

constexpr const char* kIndifferent[] = {"data.root",        "data.split_file",      "data.cache_mb",
                                        "data.workers",     "train.threads",        "train.log_every",
                                        "train.save_every", "train.save_minutes",   "train.trace_nan",
                                        "distill.teacher",  "distill.paraphrasers", "output.dir"};

struct ToJson {
  template <class T>
  nlohmann::json operator()(const T* value) const {
    return *value;
  }
  nlohmann::json operator()(const std::map<int, int>* value) const {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [from, to] : *value) object[std::to_string(from)] = to;
    return object;
  }
};

// The keys that differ from their defaults and that `counts` takes.
template <class Counts>
nlohmann::json changed(const Config& config, const Counts& counts) {
  Config copy = config, defaults;
  const std::vector<Key> keys = config_keys(copy), default_keys = config_keys(defaults);
  nlohmann::json settings = nlohmann::json::object();
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (counts(keys[i].name) && value_text(keys[i].slot) != value_text(default_keys[i].slot))
      settings[keys[i].name] = std::visit(ToJson(), keys[i].slot);
  return settings;
}

}  // namespace

nlohmann::json settings_json(const Config& config) {
  return changed(config, [](const std::string& key) {
    return !key.starts_with("eval.") &&
           std::find(std::begin(kIndifferent), std::end(kIndifferent), key) == std::end(kIndifferent);
  });
}

nlohmann::json evaluation_json(const Config& config) {
  nlohmann::json j = changed(config, [](const std::string& key) { return key.starts_with("eval."); });
  j["eval.protocol"] = config.eval.protocol;
  return j;
}

std::string settings_text(const Config& config) { return settings_json(config).dump(); }

}  // namespace gf
