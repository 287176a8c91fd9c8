#include "apps/config_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <optional>

#include "apps/augment_presets.h"
#include "apps/did_you_mean.h"
#include "kernels/error.h"

namespace gf {
namespace {

[[noreturn]] void refuse(std::string what, std::string where, std::string expected = {}, std::string found = {},
                         std::string remedy = {}) {
  throw Error(ErrorKind::usage,
              {std::move(what), std::move(where), std::move(expected), std::move(found), std::move(remedy)});
}

std::string_view last_part(std::string_view key) { return key.substr(key.rfind('.') + 1); }

// What was meant by an unknown key: another tool's name for it, the right name in the wrong section, or a typo.
std::string suggest_key(std::string_view typed, const std::vector<Key>& keys) {
  const std::string_view section = typed.substr(0, typed.find('.'));
  for (const bool same_section : {true, false}) {
    for (const Key& key : keys) {
      if (same_section && key.name.substr(0, key.name.find('.')) != section) continue;
      const auto named = [&](std::string_view name) { return edit_distance(name, last_part(typed)) == 0; };
      if (named(last_part(key.name)) || std::any_of(key.aliases.begin(), key.aliases.end(), named)) {
        return "did you mean '" + key.name + "'?";
      }
    }
  }
  std::vector<std::string> names;
  for (const Key& key : keys) names.push_back(key.name);
  const std::string nearest = did_you_mean(typed, names);
  return nearest.empty() ? "`graphflow train --keys` lists every key" : nearest;
}

std::string found_text(const toml::node& node) {
  if (const auto* v = node.as_string()) return "text \"" + v->get() + "\"";
  if (const auto* v = node.as_integer()) return "whole number " + std::to_string(v->get());
  if (const auto* v = node.as_floating_point()) return fmt::format("number {}", v->get());
  if (const auto* v = node.as_boolean()) return v->get() ? "true" : "false";
  if (node.is_array()) return "a list";
  if (node.is_table()) return "a table";
  return "a date or time";
}

// One value into one slot; every way in which it may not fit ends in refuse() with the same wording.
class Assignment {
 public:
  Assignment(const Key& key, std::string where) : key_(key), where_(std::move(where)) {}

  void from(const toml::node& node) const {
    std::visit([&](auto* slot) { read(node, *slot); }, key_.slot);
  }

 private:
  void read(const toml::node& node, bool& out) const {
    const auto* v = node.as_boolean();
    if (!v) wrong_type(node);
    out = v->get();
  }
  void read(const toml::node& node, std::int64_t& out) const {
    const auto* v = node.as_integer();
    if (!v) wrong_type(node);
    check_range(static_cast<double>(v->get()), node);
    out = v->get();
  }
  void read(const toml::node& node, int& out) const {
    std::int64_t wide = 0;
    read(node, wide);
    if (wide > std::numeric_limits<int>::max()) {
      refuse("value out of range for " + key_.name, where_, fmt::format("<= {}", std::numeric_limits<int>::max()),
             found_text(node));
    }
    out = static_cast<int>(wide);
  }
  void read(const toml::node& node, double& out) const {
    const auto v = node.is_number() ? node.value<double>() : std::nullopt;
    if (!v) wrong_type(node);
    check_range(*v, node);
    out = *v;
  }
  void read(const toml::node& node, std::string& out) const {
    const auto* v = node.as_string();
    if (!v) wrong_type(node);
    const std::vector<std::string>& choices = key_.limits.choices;
    if (!choices.empty() && std::find(choices.begin(), choices.end(), v->get()) == choices.end()) {
      const std::string word = nearest_word(v->get(), choices);
      refuse("wrong value of " + key_.name, where_, allowed_values(key_.limits), "\"" + v->get() + "\"",
             word.empty() ? "" : "did you mean '" + word + "'?");
    }
    out = v->get();
  }
  template <class T>
  void read(const toml::node& node, std::vector<T>& out) const {
    const auto* list = node.as_array();
    if (!list) wrong_type(node);
    out.clear();
    for (const toml::node& entry : *list) read(entry, out.emplace_back());
  }
  void read(const toml::node& node, std::map<int, int>& out) const {
    const auto* table = node.as_table();
    if (!table) wrong_type(node);
    out.clear();
    for (const auto& [name, value] : *table) {
      int from = 0, to = 0;
      const auto text = name.str();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), from);
      if (error != std::errc() || end != text.data() + text.size()) {
        refuse("wrong entry in " + key_.name, where_, "whole number = whole number, like 255 = 1",
               "\"" + std::string(text) + "\"");
      }
      read(value, to);
      out[from] = to;
    }
  }

  void check_range(double v, const toml::node& node) const {
    const Limits& l = key_.limits;
    if (!std::isfinite(v) || v < l.low || v > l.high || (l.above_low && v == l.low)) out_of_range(node);
  }
  [[noreturn]] void wrong_type(const toml::node& node) const {
    refuse("wrong type of " + key_.name, where_, type_name(key_.slot), found_text(node));
  }
  [[noreturn]] void out_of_range(const toml::node& node) const {
    refuse("value out of range for " + key_.name, where_, allowed_values(key_.limits), found_text(node));
  }

  const Key& key_;
  std::string where_;
};

std::optional<toml::table> parsed(const std::string& text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
}

}  // namespace

toml::table parse_toml(std::string_view text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& e) {
    refuse("cannot read configuration", fmt::format("{}:{}", name, e.source().begin.line), {}, {},
           std::string(e.description()));
  }
}

std::string read_toml_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code ignored;
  if (!file || std::filesystem::is_directory(path, ignored)) {
    refuse("cannot read configuration", path, "a TOML file",
           std::filesystem::exists(path, ignored) ? "no readable file" : "nothing",
           "give the path of one; apps/configs holds examples");
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void ConfigLoader::override_with(const std::string& setting) {
  const std::string where = "--set " + setting;
  const std::size_t equals = setting.find('=');
  if (equals == std::string::npos) refuse("wrong setting", where, "--set section.key=value");
  const std::string name = setting.substr(0, equals), value = setting.substr(equals + 1);
  const Key* key = find(name);
  if (!key) refuse("unknown configuration key '" + name + "'", where, {}, {}, suggest_key(name, keys_));
  origins_[name] = where;
  const bool is_text = std::holds_alternative<std::string*>(key->slot);
  if (!is_text || (value.size() > 1 && (value.front() == '"' || value.front() == '\''))) {
    if (const auto table = parsed("value = " + value)) return Assignment(*key, where).from(*table->get("value"));
  }
  Assignment(*key, where).from(toml::value<std::string>(value));
}

void ConfigLoader::finish(const std::string& name) {
  apply_augment_preset(config_, origins_);
  if (config_.model.in_channels == 0) config_.model.in_channels = config_.data.channels;
  if (config_.model.num_classes == 0) config_.model.num_classes = static_cast<int>(config_.data.class_names.size());
  if (config_.output.dir.empty()) {
    const std::string stem = std::filesystem::path(name).stem().string();
    config_.output.dir = "runs/" + (stem.empty() ? "run" : stem);
  }
  check_config(config_, origins_, name);
}

void ConfigLoader::walk(const toml::table& table, const std::string& prefix, const std::string& file) {
  for (const auto& [name, node] : table) {
    const std::string full = prefix + std::string(name.str());
    const std::string where = fmt::format("{}:{}", file, name.source().begin.line);
    if (const Key* key = find(full)) {
      origins_[full] = where;
      Assignment(*key, where).from(node);
    } else if (is_section(full)) {
      if (!node.is_table()) refuse("wrong type of " + full, where, "a section [" + full + "]", found_text(node));
      walk(*node.as_table(), full + ".", file);
    } else if (node.is_table()) {
      refuse("unknown configuration section [" + full + "]", where, {}, {}, did_you_mean(full, sections()));
    } else {
      refuse("unknown configuration key '" + full + "'", where, {}, {}, suggest_key(full, keys_));
    }
  }
}

const Key* ConfigLoader::find(std::string_view name) const {
  const auto it = std::find_if(keys_.begin(), keys_.end(), [&](const Key& k) { return k.name == name; });
  return it == keys_.end() ? nullptr : &*it;
}

std::vector<std::string> ConfigLoader::sections() const {
  std::vector<std::string> names;
  for (const Key& key : keys_) {
    for (std::size_t dot = key.name.find('.'); dot != std::string::npos; dot = key.name.find('.', dot + 1)) {
      const std::string section = key.name.substr(0, dot);
      if (std::find(names.begin(), names.end(), section) == names.end()) names.push_back(section);
    }
  }
  return names;
}

bool ConfigLoader::is_section(const std::string& name) const {
  const std::vector<std::string> names = sections();
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace gf
