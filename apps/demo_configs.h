#pragma once
#include <string>

namespace gf {

// Writes the shipped configuration `name` (apps/configs/<name>.toml, compiled in) into the folder, where a user can
// read and change it; returns the file.
std::string write_demo_config(const std::string& folder, const std::string& name);

}  // namespace gf
