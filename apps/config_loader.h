#pragma once
// From TOML and settings to a Config, layer upon layer: what config.h's functions and the experiment file are made of.
// toml++ is included here and in experiment_file.cpp only.
#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

#include "apps/config_keys.h"

namespace gf {

// Throws ErrorKind::usage with file and line.
toml::table parse_toml(std::string_view text, const std::string& name);
std::string read_toml_file(const std::string& path);

class ConfigLoader {
 public:
  explicit ConfigLoader(Config& config) : config_(config), keys_(config_keys(config)) {}

  // Every key of the table, whose lines belong to `file`. Unknown keys and values that do not fit are refused.
  void layer(const toml::table& table, const std::string& file) { walk(table, "", file); }
  // "a.b=c". Text needs no quotes here, since a shell has already eaten them.
  void override_with(const std::string& setting);
  // Fills in what the rest decides (config.h) and refuses values that do not fit each other; `name` stands for the file
  // in messages.
  void finish(const std::string& name);

  const Origins& origins() const { return origins_; }
  // The parts of a configuration: "data", "data.augment", ...
  std::vector<std::string> sections() const;

 private:
  void walk(const toml::table& table, const std::string& prefix, const std::string& file);
  const Key* find(std::string_view name) const;
  bool is_section(const std::string& name) const;

  Config& config_;
  std::vector<Key> keys_;
  Origins origins_;
};

}  // namespace gf
