#pragma once
// Stored label values to class ids 0 .. classes-1.
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace gf {

// `entries` empty: values are class ids already. Otherwise only listed values and 0 (background, unless listed) are
// allowed, so that a value nobody thought of never becomes a class by chance.
// Pixels of value `ignore_index` (as stored) stay what they are; losses and metrics leave them out.
struct LabelMap {
  std::map<std::int32_t, std::int32_t> entries;
  std::optional<std::int32_t> ignore_index;

  // Maps in place. An unmapped value or one outside the classes is bad_data: it names `file`, the values with their
  // counts, and the line to add to the configuration.
  void apply(std::span<std::int32_t> values, int classes, const std::string& file) const;

  // "255:1,128:2"; "" for an empty map. parse() throws usage on anything else.
  std::string str() const;
  static std::map<std::int32_t, std::int32_t> parse(const std::string& text);
  bool operator==(const LabelMap&) const = default;
};

}  // namespace gf
