#include "data/choose_postprocessing.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "data/connected_components.h"

namespace gf {
namespace {

// Of the median true object.
constexpr double kSizes[] = {0.02, 0.05, 0.1, 0.25, 0.5};
constexpr int kClassTrials = static_cast<int>(std::size(kSizes)) + 2;

struct Counts {
  std::int64_t both = 0, truth = 0, prediction = 0;
};

std::vector<Counts> count(const PredictedCase& c, const std::vector<Mask>& prediction, int classes) {
  std::vector<Counts> counts(static_cast<std::size_t>(classes));
  for (std::size_t z = 0; z < c.truth.size(); ++z)
    for (std::size_t i = 0; i < c.truth[z].values.size(); ++i) {
      const std::int32_t t = c.truth[z].values[i], p = prediction[z].values[i];
      if (t == c.ignore) continue;
      ++counts[static_cast<std::size_t>(t)].truth;
      ++counts[static_cast<std::size_t>(p)].prediction;
      if (t == p) ++counts[static_cast<std::size_t>(t)].both;
    }
  return counts;
}

using CaseCounts = std::vector<std::vector<Counts>>;

// NaN where no case has the class.
double mean_dice(const CaseCounts& cases, int id) {
  double sum = 0;
  int n = 0;
  for (const std::vector<Counts>& counts : cases) {
    const Counts& c = counts[static_cast<std::size_t>(id)];
    if (c.truth + c.prediction == 0) continue;
    sum += 2.0 * static_cast<double>(c.both) / static_cast<double>(c.truth + c.prediction);
    ++n;
  }
  return n > 0 ? sum / n : std::nan("");
}

double foreground_dice(const CaseCounts& cases, int classes) {
  double sum = 0;
  int n = 0;
  for (int id = 1; id < classes; ++id)
    if (const double d = mean_dice(cases, id); !std::isnan(d)) {
      sum += d;
      ++n;
    }
  return n > 0 ? sum / n : std::nan("");
}

double median_object(const std::vector<PredictedCase>& cases, int id) {
  std::vector<bool> members(static_cast<std::size_t>(id) + 1, false);
  members[static_cast<std::size_t>(id)] = true;
  std::vector<double> sizes;
  for (const PredictedCase& c : cases)
    for (const std::int64_t voxels : connected_components(c.truth, members, Touching::corners).voxels)
      sizes.push_back(static_cast<double>(voxels) * c.voxel_mm3);
  if (sizes.empty()) return 0;
  std::nth_element(sizes.begin(), sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2), sizes.end());
  return sizes[sizes.size() / 2];
}

// Tries steps on all cases and keeps what helps.
class Search {
 public:
  Search(std::vector<PredictedCase>& cases, int classes, const std::function<void(int)>& progress)
      : cases_(cases), classes_(classes), progress_(progress) {
    for (const PredictedCase& c : cases_) counts_.push_back(count(c, c.prediction, classes_));
  }

  const CaseCounts& counts() const { return counts_; }

  using Step = std::function<void(std::vector<Mask>&, double voxel_mm3)>;
  bool attempt(int id, const std::string& name, const Step& step) {
    CaseCounts counts;
    for (const PredictedCase& c : cases_) {
      std::vector<Mask> cleaned = c.prediction;
      step(cleaned, c.voxel_mm3);
      counts.push_back(count(c, cleaned, classes_));
    }
    const auto dice = [&](const CaseCounts& of) { return id == 0 ? foreground_dice(of, classes_) : mean_dice(of, id); };
    const double before = dice(counts_), after = dice(counts);
    const bool kept = after > before;  // no, where either is NaN
    trials.push_back({id, name, before, after, kept});
    if (kept) {  // done again rather than kept for all cases: a set of volumes is large
      for (PredictedCase& c : cases_) step(c.prediction, c.voxel_mm3);
      counts_ = std::move(counts);
    }
    if (progress_) progress_(static_cast<int>(trials.size()));
    return kept;
  }

  std::vector<PostprocessingTrial> trials;

 private:
  std::vector<PredictedCase>& cases_;
  int classes_;
  const std::function<void(int)>& progress_;
  CaseCounts counts_;
};

}  // namespace

int postprocessing_trials(int classes) { return 1 + (classes - 1) * kClassTrials; }

PostprocessingChoice choose_postprocessing(std::vector<PredictedCase>& cases, int classes,
                                           const std::function<void(int)>& progress) {
  PostprocessingChoice r;
  r.chosen.classes.resize(static_cast<std::size_t>(classes));
  Search search(cases, classes, progress);
  r.dice_before = foreground_dice(search.counts(), classes);
  r.chosen.foreground_largest_component = search.attempt(
      0, "largest_component", [&](std::vector<Mask>& m, double) { keep_largest_foreground(m, classes); });
  for (int id = 1; id < classes; ++id) {
    ClassCleaning& chosen = r.chosen.classes[static_cast<std::size_t>(id)];
    const auto attempt = [&](const std::string& name, const ClassCleaning& how) {
      return search.attempt(id, name, [&](std::vector<Mask>& m, double mm3) { clean_class(m, id, how, mm3); });
    };
    const double object = median_object(cases, id);
    for (const double part : kSizes) {
      // Three digits: the file is read by people.
      const double size = std::stod(fmt::format("{:.3g}", part * object));
      if (attempt(fmt::format("min_mm3 {:g}", size), {.min_mm3 = size})) chosen.min_mm3 = size;
    }
    chosen.largest_component = attempt("largest_component", {.largest_component = true});
    chosen.fill_holes = attempt("fill_holes", {.fill_holes = true});
  }
  r.trials = std::move(search.trials);
  r.dice_after = foreground_dice(search.counts(), classes);
  return r;
}

}  // namespace gf
