#pragma once
// data.augment_preset: known recipes of augmentation, as values of [data.augment].
#include <string>
#include <vector>

#include "apps/config_keys.h"

namespace gf {

std::vector<std::string> augment_preset_names();  // "none" first

// Every key of the preset that nobody gave gets its value; `given` holds those that were.
void apply_augment_preset(Config& config, const Origins& given);

}  // namespace gf
