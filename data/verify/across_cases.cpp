#include "data/verify/across_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "data/case.h"

namespace gf {
namespace {

// A case is unlike the others from so many robust deviations on (1.4826 times the median distance from the median).
constexpr double kUnlike = 6;
constexpr std::size_t kEnoughCases = 8, kMostApart = 10;

const std::string& patient_of(const Case& c) { return c.patient.empty() ? c.id : c.patient; }
// Where two parts are folders of their own, files of one name say nothing: the same image is found by its content.
bool names_patients(const std::string& layout) { return layout != "gastric"; }
Split part_of(const Case& c) { return c.split == Split::unlabelled ? Split::train : c.split; }

double median(std::vector<double> v) {
  std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
  return v[v.size() / 2];
}

class Across {
 public:
  Across(const Listing& listing, const std::vector<CaseFacts>& facts) : cases_(listing.dataset.cases), facts_(facts) {}

  void patients() {
    std::map<std::string, const Case*> first;
    std::set<std::string> told;
    for (const Case& c : cases_) {
      const auto [at, fresh] = first.emplace(patient_of(c), &c);
      if (fresh || part_of(*at->second) == part_of(c) || !told.insert(patient_of(c)).second) continue;
      find(Severity::error, Check::patient_leak, c.id,
           fmt::format("patient {}: {} is in {}, {} in {}; models would be tested on people they have seen",
                       patient_of(c), at->second->id, name_of(at->second->split), c.id, name_of(c.split)));
    }
  }

  void duplicates() {
    std::map<std::uint64_t, const Case*> first;
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      if (!facts_[i].readable || facts_[i].least == facts_[i].most) continue;
      const auto [at, fresh] = first.emplace(facts_[i].content, &cases_[i]);
      if (fresh) continue;
      const Case &a = *at->second, &b = cases_[i];
      const bool leak = part_of(a) != part_of(b);
      find(leak ? Severity::error : Severity::warning, Check::duplicate_image, b.id,
           fmt::format("{} ({}) and {} ({}): the same image{}", a.images[0], name_of(a.split), b.images[0],
                       name_of(b.split), leak ? "; remove one, or scores mean nothing" : ""));
    }
  }

  // Slices that lie in two volumes, told once for the two.
  void slices() {
    std::map<std::uint64_t, Place> first;
    std::map<std::pair<std::size_t, std::size_t>, std::vector<std::pair<Place, Place>>> shared;
    for (std::size_t i = 0; i < cases_.size(); ++i)
      for (std::size_t z = 0; z < facts_[i].slices.size(); ++z) {
        if (facts_[i].slices[z] == 0) continue;
        const Place here{i, z}, there = first.emplace(facts_[i].slices[z], here).first->second;
        if (there.index != i) shared[{there.index, i}].emplace_back(there, here);
      }
    for (const auto& [pair, places] : shared) {
      const Case &a = cases_[pair.first], &b = cases_[pair.second];
      if (facts_[pair.first].content == facts_[pair.second].content) continue;  // duplicates() says it
      const bool leak = part_of(a) != part_of(b);
      const std::string more = places.size() > 1 ? fmt::format(" (and {} more)", places.size() - 1) : "";
      find(leak ? Severity::error : Severity::warning, Check::duplicate_image, b.id,
           fmt::format("{} ({}) and {} ({}): the same slice{}{}", name_of_slice(places[0].first), name_of(a.split),
                       name_of_slice(places[0].second), name_of(b.split), more,
                       leak ? "; remove one, or scores mean nothing" : ""));
    }
  }

  // Mean and deviation of a case against those of all. Where many are unlike the others they are told together.
  void outliers() {
    const Usual mean = usual(&CaseFacts::mean), deviation = usual(&CaseFacts::deviation);
    std::vector<std::size_t> unlike;
    for (std::size_t i = 0; i < cases_.size(); ++i)
      if (counts(facts_[i]) && (mean.is_far(facts_[i].mean) || deviation.is_far(facts_[i].deviation)))
        unlike.push_back(i);
    const auto facts_of = [&](std::size_t i) {
      return fmt::format(
          "mean {:.4g} and deviation {:.4g}, the median case's {:.4g} and {:.4g}; another scale, window or "
          "modality?",
          facts_[i].mean, facts_[i].deviation, mean.middle, deviation.middle);
    };
    if (unlike.size() <= kMostApart) {
      for (const std::size_t i : unlike)
        find(Severity::warning, Check::intensity_outlier, cases_[i].id,
             fmt::format("{}: intensities of {}", cases_[i].images[0], facts_of(i)));
      return;
    }
    std::string names;
    for (std::size_t k = 0; k < kMostApart; ++k) names += (k == 0 ? "" : ", ") + cases_[unlike[k]].id;
    find(Severity::warning, Check::intensity_outlier, "",
         fmt::format("{} of {} cases are unlike the others in their intensities ({}, ...); {} has {}", unlike.size(),
                     cases_.size(), names, cases_[unlike[0]].id, facts_of(unlike[0])));
  }

  void classes(const std::vector<std::string>& names, bool known) {
    std::map<Split, std::set<std::int32_t>> seen;
    std::set<std::int32_t> all;
    bool any = false;
    for (std::size_t i = 0; i < cases_.size(); ++i)
      for (const auto& [id, pixels] : facts_[i].classes) {
        any = true;
        all.insert(id);
        seen[part_of(cases_[i])].insert(id);
      }
    if (!any) return;
    const auto coverage = [&](std::string message) {
      find(Severity::warning, Check::class_coverage, "", std::move(message));
    };
    if (!known) {
      const std::int32_t greatest = *all.rbegin();
      for (std::int32_t id = 1; id < greatest; ++id)
        if (!all.contains(id)) {
          coverage(fmt::format("labels 0 to {} have a gap at {}; data.label_map closes it", greatest, id));
          break;
        }
      return;
    }
    for (std::int32_t id = 1; id < static_cast<std::int32_t>(names.size()); ++id) {
      const std::string name = fmt::format("class {} ({})", id, names[static_cast<std::size_t>(id)]);
      if (!all.contains(id)) {
        coverage(name + ": in no label");
      } else if (seen.contains(Split::train)) {
        for (const Split s : {Split::train, Split::val, Split::test})
          if (seen.contains(s) && !seen[s].contains(id)) {
            coverage(fmt::format("{}: in no label of the {} part", name, name_of(s)));
            break;
          }
      }
    }
  }

  std::vector<Finding> take() { return std::move(findings_); }

 private:
  struct Place {
    std::size_t index, slice;  // of the case and in it
  };
  std::string name_of_slice(const Place& p) const {
    const Case& c = cases_[p.index];
    return slices_are_files(c) ? c.images[p.slice] : fmt::format("{}, slice {}", c.images[0], p.slice);
  }

  struct Usual {
    double middle = 0, scale = std::numeric_limits<double>::infinity();
    bool is_far(double v) const { return std::abs(v - middle) > kUnlike * scale; }
  };

  static bool counts(const CaseFacts& f) { return f.readable && f.least != f.most; }  // the others are told already

  // Nothing is far from too few.
  Usual usual(double CaseFacts::*value) const {
    std::vector<double> values, distances;
    for (const CaseFacts& f : facts_)
      if (counts(f)) values.push_back(f.*value);
    if (values.size() < kEnoughCases) return {};
    const double middle = median(values);
    for (const double v : values) distances.push_back(std::abs(v - middle));
    return {middle, std::max({1.4826 * median(distances), 0.02 * std::abs(middle), 1e-12})};
  }

  void find(Severity severity, Check check, const std::string& id, std::string message) {
    findings_.push_back({severity, check, id, std::move(message)});
  }

  const std::vector<Case>& cases_;
  const std::vector<CaseFacts>& facts_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> check_across_cases(const Listing& listing, const std::vector<CaseFacts>& facts) {
  Across across(listing, facts);
  if (names_patients(listing.dataset.layout)) across.patients();
  // The cases of brain are parts of one head by design.
  if (listing.dataset.layout != "brain") across.duplicates();
  across.slices();
  across.outliers();
  across.classes(listing.dataset.class_names, listing.classes_known);
  return across.take();
}

}  // namespace gf
