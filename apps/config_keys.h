#pragma once
// The table of configuration keys: the one place that says what a key means and what it may hold.
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "apps/config.h"

namespace gf {

// Bounds hold for a number and for each entry of a list; choices for a text.
struct Limits {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool above_low = false;  // low itself is outside
  std::vector<std::string> choices = {};
};

// Where the value lives in the Config the table was made for; its alternative is the key's type.
using Slot = std::variant<bool*, int*, std::int64_t*, double*, std::string*, std::vector<int>*, std::vector<double>*,
                          std::vector<std::string>*, std::map<int, int>*>;

struct Key {
  std::string name;
  Slot slot;
  std::string doc;
  Limits limits;
  std::vector<std::string> aliases;  // what other tools call it: for suggestions only, never accepted
};

// Sections in the order in which they are written, a table before its subtables. The slots point into `config`.
std::vector<Key> config_keys(Config& config);

std::string type_name(const Slot& slot);           // "whole number", "list of texts"
std::string allowed_values(const Limits& limits);  // ">= 1", "sgd | adam | adamw", "" where all are
std::string value_text(const Slot& slot);          // the value as TOML

// Values that do not fit each other, wherever they came from; `where(key)` says that for a message.
using Origins = std::map<std::string, std::string>;
void check_config(const Config& config, const Origins& where, const std::string& file);

}  // namespace gf
