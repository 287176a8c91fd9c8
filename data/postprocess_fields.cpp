// Post-processing as text: flat for model files, in a line for people.
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/postprocess.h"
#include "kernels/error.h"

namespace gf {
namespace {

using namespace postprocessing_keys;
constexpr double kMost = 1e15;  // of a size: more than any volume has

template <class Number>
Number number(const std::string& name, const std::string& text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0) || !(value <= Number(kMost)))
    bad_data("bad post-processing field", name, fmt::format("a number from 0 to {:g}", kMost), "\"" + text + "\"");
  return value;
}

bool flag(const std::string& name, const std::string& text) {
  if (text != "true" && text != "false")
    bad_data("bad post-processing field", name, "true or false", "\"" + text + "\"");
  return text == "true";
}

void read_field(ClassCleaning& c, const std::string& key, const std::string& name, const std::string& text) {
  if (key == kMinVoxels)
    c.min_voxels = number<std::int64_t>(name, text);
  else if (key == kMinMm3)
    c.min_mm3 = number<double>(name, text);
  else if (key == kLargest)
    c.largest_component = flag(name, text);
  else if (key == kHoles)
    c.fill_holes = flag(name, text);
  else
    bad_data("unknown post-processing field", name, {}, text);
}

}  // namespace

std::map<std::string, std::string> Postprocessing::to_fields() const {
  std::map<std::string, std::string> fields{{kWhole, foreground_largest_component ? "true" : "false"}};
  for (std::size_t id = 1; id < classes.size(); ++id) {
    const ClassCleaning& c = classes[id];
    const auto put = [&](bool said, const char* key, const std::string& text) {
      if (said) fields[fmt::format("{}.{}", id, key)] = text;
    };
    put(c.min_voxels > 0, kMinVoxels, std::to_string(c.min_voxels));
    put(c.min_mm3 > 0, kMinMm3, fmt::format("{}", c.min_mm3));
    put(c.largest_component, kLargest, "true");
    put(c.fill_holes, kHoles, "true");
  }
  return fields;
}

Postprocessing Postprocessing::from_fields(const std::map<std::string, std::string>& fields, int classes) {
  Postprocessing p;
  p.classes.resize(static_cast<std::size_t>(classes));
  for (const auto& [name, text] : fields) {
    if (name == kWhole) {
      p.foreground_largest_component = flag(name, text);
      continue;
    }
    int id = 0;
    const char *begin = name.data(), *const end = begin + name.size();
    const auto [at, error] = std::from_chars(begin, end, id);
    if (error != std::errc{} || at == end || *at != '.' || id < 1 || id >= classes)
      bad_data("unknown post-processing field", name,
               fmt::format("{}, or CLASS.SETTING of classes 1 to {}", kWhole, classes - 1), text);
    read_field(p.classes[static_cast<std::size_t>(id)], std::string(at + 1, end), name, text);
  }
  return p;
}

std::string describe(const Postprocessing& p, const std::vector<std::string>& class_names) {
  std::vector<std::string> parts;
  if (p.foreground_largest_component) parts.push_back("foreground: largest component");
  for (std::size_t id = 1; id < p.classes.size(); ++id) {
    const ClassCleaning& c = p.classes[id];
    std::vector<std::string> steps;
    if (c.min_voxels > 0) steps.push_back(fmt::format("objects from {} voxels", c.min_voxels));
    if (c.min_mm3 > 0) steps.push_back(fmt::format("objects from {:g} mm3", c.min_mm3));
    if (c.largest_component) steps.push_back("largest component");
    if (c.fill_holes) steps.push_back("holes filled");
    if (!steps.empty()) parts.push_back(fmt::format("{}: {}", class_names[id], fmt::join(steps, ", ")));
  }
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, "; "));
}

}  // namespace gf
