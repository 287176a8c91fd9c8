#pragma once
// The settings that a run's weights depend on: the keys that differ from their defaults, without those that only say
// where things lie, how often something is written, or how the trained network is scored. Keys that a later version
// adds do not change them.
#include <nlohmann/json.hpp>
#include <string>

#include "apps/config.h"

namespace gf {

// {"model.arch": "enet", "optim.lr": 0.001}
nlohmann::json settings_json(const Config& config);
nlohmann::json evaluation_json(const Config& config);  // of [eval]: its protocol, and what else is not the default
std::string settings_text(const Config& config);       // settings_json() on one line

}  // namespace gf
