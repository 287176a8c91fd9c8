#pragma once
// The settings of a run that its results depend on: the keys that differ from their defaults, without those that only
// say where things lie and how often something is written. Keys that a later version adds do not change them.
#include <nlohmann/json.hpp>
#include <string>

#include "apps/config.h"

namespace gf {

// {"model.arch": "enet", "optim.lr": 0.001}
nlohmann::json settings_json(const Config& config);
std::string settings_text(const Config& config);  // the same on one line

}  // namespace gf
