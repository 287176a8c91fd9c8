#include "data/label_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <vector>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::size_t most_printed = 12;

using Histogram = std::map<std::int32_t, std::int64_t>;

std::string print(const Histogram& histogram) {
  std::string s;
  std::size_t printed = 0;
  for (const auto& [value, count] : histogram) {
    if (printed++ == most_printed) return s + fmt::format(", ... ({} values in all)", histogram.size());
    s += fmt::format("{}{} ({} pixels)", s.empty() ? "" : ", ", value, count);
  }
  return s;
}

// The label_map line that would take every value found, unknown ones in ascending order onto the classes still free.
std::string suggestion(const LabelMap& map, const Histogram& histogram, const std::vector<std::int32_t>& unknown,
                       int classes) {
  if (unknown.size() >= static_cast<std::size_t>(std::max(classes, 2)) && histogram.size() > 16)
    return "these look like the edges of an interpolated (anti-aliased) mask: threshold it, or export it without "
           "smoothing";
  std::map<std::int32_t, std::string> lines;
  std::set<std::int32_t> taken = {0};
  for (const auto& [from, to] : map.entries) lines[from] = std::to_string(to), taken.insert(to);
  if (map.entries.empty())
    for (const auto& [value, count] : histogram)
      if (value > 0 && value < classes) lines[value] = std::to_string(value), taken.insert(value);
  std::int32_t next = 1;
  for (const std::int32_t value : unknown) {
    while (taken.contains(next)) ++next;
    lines[value] = next < classes ? std::to_string(next++) : "CLASS";
  }
  std::string s;
  for (const auto& [from, to] : lines) s += fmt::format("{}\"{}\" = {}", s.empty() ? "" : ", ", from, to);
  return fmt::format("add to [data] in the config: label_map = {{ {} }}", s);
}

}  // namespace

void LabelMap::apply(std::span<std::int32_t> values, int classes, const std::string& file) const {
  // Labels come in long runs of one value: both passes look a value up once a run.
  Histogram histogram;
  for (std::size_t i = 0; i < values.size();) {
    std::size_t end = i + 1;
    while (end < values.size() && values[end] == values[i]) ++end;
    histogram[values[i]] += static_cast<std::int64_t>(end - i);
    i = end;
  }
  std::map<std::int32_t, std::int32_t> target;
  std::vector<std::int32_t> unknown;
  for (const auto& [value, count] : histogram) {
    if (ignore_index && value == *ignore_index) {
      target[value] = value;
      continue;
    }
    const auto listed = entries.find(value);
    const bool known = listed != entries.end() || entries.empty() || value == 0;
    const std::int32_t id = listed != entries.end() ? listed->second : value;
    if (!known || id < 0 || id >= classes)
      unknown.push_back(value);
    else
      target[value] = id;
  }
  if (!unknown.empty()) {
    std::string list;
    for (std::size_t i = 0; i < std::min(unknown.size(), most_printed); ++i)
      list += fmt::format("{}{}", i == 0 ? "" : ", ", unknown[i]);
    if (unknown.size() > most_printed) list += ", ...";
    bad_data(fmt::format("label value without a class: {}", list), file, fmt::format("class ids 0 to {}", classes - 1),
             "values " + print(histogram), suggestion(*this, histogram, unknown, classes));
  }
  for (std::size_t i = 0; i < values.size();) {
    const std::int32_t value = values[i], id = target[value];
    for (; i < values.size() && values[i] == value; ++i) values[i] = id;
  }
}

std::string LabelMap::str() const {
  std::string s;
  for (const auto& [from, to] : entries) s += fmt::format("{}{}:{}", s.empty() ? "" : ",", from, to);
  return s;
}

std::map<std::int32_t, std::int32_t> LabelMap::parse(const std::string& text) {
  std::map<std::int32_t, std::int32_t> entries;
  const char* next = text.data();
  const char* const end = next + text.size();
  while (next < end) {
    std::int32_t from = 0, to = 0;
    const auto [colon, error] = std::from_chars(next, end, from);
    const auto [after, error_to] = std::from_chars(colon < end ? colon + 1 : end, end, to);
    if (error != std::errc{} || error_to != std::errc{} || *colon != ':' || (after < end && *after != ','))
      throw Error(ErrorKind::usage, {"bad label map", "\"" + text + "\"", "VALUE:CLASS,VALUE:CLASS,...", {}, {}});
    entries[from] = to;
    next = after < end ? after + 1 : end;
  }
  return entries;
}

}  // namespace gf
