#include "data/training_range.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "kernels/error.h"

namespace gf {
namespace {

void widen(std::array<double, 2>& range, double value, bool first) {
  range = first ? std::array{value, value} : std::array{std::min(range[0], value), std::max(range[1], value)};
}

std::string pair_text(const std::array<double, 2>& p) { return fmt::format("{:.9g} {:.9g}", p[0], p[1]); }

std::array<double, 2> parse_pair(const std::map<std::string, std::string>& entries, const std::string& key,
                                 const std::string& file) {
  const auto at = entries.find(key);
  std::array<double, 2> p{};
  char rest = 0;
  if (at == entries.end() || std::sscanf(at->second.c_str(), "%lf %lf%c", &p[0], &p[1], &rest) != 2 ||
      !std::isfinite(p[0]) || !std::isfinite(p[1]) || p[0] > p[1])
    bad_data("broken model file", file + ", entry " + key, "two numbers, the smaller first",
             at == entries.end() ? "none" : "\"" + at->second + "\"");
  return p;
}

constexpr const char* kSpacing[] = {"range.spacing_slices", "range.spacing_height", "range.spacing_width"};

// How far from the range, in its own widths; a range of one value is taken as half of it wide.
double distance(const std::array<double, 2>& range, double value) {
  const double out = std::max({range[0] - value, value - range[1], 0.0});
  const double width = std::max(range[1] - range[0], 0.25 * (std::fabs(range[0]) + std::fabs(range[1])));
  return width > 0 ? out / width : out > 0 ? INFINITY : 0;
}

}  // namespace

std::map<std::string, std::string> TrainingRange::to_entries() const {
  std::map<std::string, std::string> e{{"range.cases", std::to_string(cases)},
                                       {"range.mean", pair_text(mean)},
                                       {"range.deviation", pair_text(deviation)}};
  for (std::size_t i = 0; volumes && i < 3; ++i) e[kSpacing[i]] = pair_text(spacing_mm[i]);
  return e;
}

std::optional<TrainingRange> TrainingRange::from_entries(const std::map<std::string, std::string>& entries,
                                                         const std::string& file) {
  const auto cases = entries.find("range.cases");
  if (cases == entries.end()) return {};
  TrainingRange r;
  r.cases = std::atoll(cases->second.c_str());
  r.mean = parse_pair(entries, "range.mean", file);
  r.deviation = parse_pair(entries, "range.deviation", file);
  r.volumes = entries.contains(kSpacing[0]);
  for (std::size_t i = 0; r.volumes && i < 3; ++i) r.spacing_mm[i] = parse_pair(entries, kSpacing[i], file);
  return r;
}

TrainingRange measure_training_range(const Dataset& dataset, std::size_t most) {
  std::vector<const Case*> training;
  for (const Case& c : dataset.cases)
    if (c.split == Split::train) training.push_back(&c);
  TrainingRange r;
  r.volumes = dataset.volumes;
  const std::size_t count = std::min(most, training.size());
  for (std::size_t i = 0; i < count; ++i) {
    const Case& chosen = *training[i * training.size() / count];
    Case middle = chosen;  // one slice says enough where each is a file, and of the labels nothing is asked
    if (slices_are_files(chosen)) middle = one_slice(chosen, chosen.slices() / 2);
    middle.label.clear();
    const PreparedCase c = load_case(dataset, middle, Purpose::training);
    widen(r.mean, c.stored.mean, i == 0);
    widen(r.deviation, c.stored.deviation, i == 0);
    for (std::size_t axis = 0; axis < 3; ++axis) widen(r.spacing_mm[axis], c.spacing_mm[axis], i == 0);
    ++r.cases;
  }
  return r;
}

std::vector<std::string> unlike_training(const PreparedCase& c, const TrainingRange& range) {
  std::vector<std::string> lines;
  const auto intensity = [&](const char* what, double value, const std::array<double, 2>& of) {
    if (distance(of, value) <= 1) return;
    lines.push_back(
        fmt::format("intensities unlike training: {} {:.4g}, in training {:.4g} to {:.4g}", what, value, of[0], of[1]));
  };
  intensity("mean", c.stored.mean, range.mean);
  intensity("standard deviation", c.stored.deviation, range.deviation);
  if (!range.volumes || !c.volume) return lines;
  for (std::size_t i = 0; i < 3; ++i) {
    const double value = c.spacing_mm[i];
    const auto [least, most] = range.spacing_mm[i];
    if (value >= 0.9 * least && value <= 1.1 * most) continue;
    constexpr const char* kAxes[] = {"between slices", "of rows", "of columns"};
    lines.push_back(fmt::format("spacing outside training: {:.4g} mm {}, in training {:.4g} to {:.4g} mm", value,
                                kAxes[i], least, most));
  }
  return lines;
}

}  // namespace gf
