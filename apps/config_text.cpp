// The configuration as text: TOML with comments, the list of keys, the difference of two.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "apps/config_keys.h"

namespace gf {
namespace {

std::string text_of(bool v) { return v ? "true" : "false"; }
std::string text_of(int v) { return std::to_string(v); }
std::string text_of(std::int64_t v) { return std::to_string(v); }

// The shortest text that reads back as the same double; a whole number gets ".0", so that it stays a TOML float.
std::string text_of(double v) {
  std::string s = fmt::format("{}", v);
  if (s.find_first_not_of("-0123456789") == std::string::npos) s += ".0";
  return s;
}

std::string text_of(const std::string& v) {
  std::string s = "\"";
  for (const char c : v) {
    if (c == '"' || c == '\\') {
      s += '\\';
      s += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      s += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      s += c;
    }
  }
  return s + "\"";
}

template <class T>
std::string text_of(const std::vector<T>& v) {
  std::string s = "[";
  for (std::size_t i = 0; i < v.size(); ++i) s += (i ? ", " : "") + text_of(v[i]);
  return s + "]";
}

std::string text_of(const std::map<int, int>& v) {
  if (v.empty()) return "{}";
  std::string s = "{ ";
  for (const auto& [from, to] : v) s += (s.size() > 2 ? ", " : "") + text_of(from) + " = " + text_of(to);
  return s + " }";
}

// "data.augment" of "data.augment.zoom".
std::string section_of(const std::string& key) { return key.substr(0, key.rfind('.')); }

std::string wrapped(std::string_view text, std::size_t width, std::string_view line_start) {
  std::string out, line(line_start);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find(' ', i), text.size());
    const std::string_view word = text.substr(i, end - i);
    if (line.size() > line_start.size() && line.size() + 1 + word.size() > width) {
      out += line + "\n";
      line = line_start;
    }
    if (line.size() > line_start.size()) line += ' ';
    line += word;
    i = end + 1;
  }
  return out + line + "\n";
}

// "Network (fanet | mobile_unet; default "mobile_unet")"
std::string described(const Key& key, const std::string& default_text) {
  const std::string allowed = allowed_values(key.limits);
  return key.doc + " (" + allowed + (allowed.empty() ? "" : "; ") + "default " + default_text + ")";
}

}  // namespace

std::string type_name(const Slot& slot) {
  static constexpr const char* names[] = {"true or false",   "whole number",  "whole number",
                                          "number",          "text",          "list of whole numbers",
                                          "list of numbers", "list of texts", "table of whole numbers"};
  static_assert(std::size(names) == std::variant_size_v<Slot>);
  return names[slot.index()];
}

std::string allowed_values(const Limits& l) {
  if (!l.choices.empty()) return fmt::format("{}", fmt::join(l.choices, " | "));
  const auto number = [](double v) { return fmt::format("{}", v); };
  const bool low = std::isfinite(l.low), high = std::isfinite(l.high);
  if (low && high) return (l.above_low ? "> " + number(l.low) + ", <= " : number(l.low) + " .. ") + number(l.high);
  if (low) return (l.above_low ? "> " : ">= ") + number(l.low);
  return high ? "<= " + number(l.high) : "";
}

std::string value_text(const Slot& slot) {
  return std::visit([](const auto* value) { return text_of(*value); }, slot);
}

std::string config_to_toml(const Config& config) {
  Config copy = config, defaults;
  const std::vector<Key> keys = config_keys(copy), default_keys = config_keys(defaults);
  std::string out = "# graphflow configuration: every key, with what was given filled in.\n", section;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Key& key = keys[i];
    if (const std::string s = section_of(key.name); s != section) {
      section = s;
      out += "\n[" + section + "]\n";
    }
    out += wrapped(described(key, value_text(default_keys[i].slot)), 118, "# ");
    out += key.name.substr(section.size() + 1) + " = " + value_text(key.slot) + "\n";
  }
  return out;
}

std::string print_schema() {
  Config defaults;
  std::string out, section;
  for (const Key& key : config_keys(defaults)) {
    if (const std::string s = section_of(key.name); s != section) {
      if (!section.empty()) out += "\n";
      section = s;
    }
    const std::string allowed = allowed_values(key.limits);
    out += fmt::format("{} = {}    {}{}\n", key.name, value_text(key.slot), type_name(key.slot),
                       allowed.empty() ? "" : ", " + allowed);
    out += wrapped(key.doc, 110, "    ");
  }
  return out;
}

std::vector<std::string> config_diff(const Config& before, const Config& after) {
  Config a = before, b = after;
  const std::vector<Key> keys_a = config_keys(a), keys_b = config_keys(b);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < keys_a.size(); ++i) {
    const std::string old_text = value_text(keys_a[i].slot), new_text = value_text(keys_b[i].slot);
    if (old_text != new_text) lines.push_back(keys_a[i].name + ": " + old_text + " -> " + new_text);
  }
  return lines;
}

}  // namespace gf
