#include "apps/config.h"

#include "apps/config_loader.h"

namespace gf {

Config parse_config(std::string_view text, const std::string& name, const std::vector<std::string>& overrides) {
  Config config;
  ConfigLoader loader(config);
  loader.layer(parse_toml(text, name), name);
  for (const std::string& setting : overrides) loader.override_with(setting);
  loader.finish(name);
  return config;
}

Config load_config(const std::string& path, const std::vector<std::string>& overrides) {
  return parse_config(path.empty() ? std::string() : read_toml_file(path), path, overrides);
}

}  // namespace gf
