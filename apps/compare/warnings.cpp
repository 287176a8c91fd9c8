// What a reader of a comparison must not overlook.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "apps/compare/groups.h"

namespace gf {
namespace {

std::string model_name(const ComparedModel& m) { return m.role == ModelRole::student ? m.name + " alone" : m.name; }

template <class Value>
std::string joined(const std::set<Value>& values) {
  return fmt::format("{}", fmt::join(values, ", "));
}

void warn_of_seeds(ComparedGroup& group) {
  std::set<std::int64_t> all;
  for (const ComparedModel& m : group.models) {
    for (const RunRow* r : m.rows) all.insert(r->seed);
    for (const RunRow* r : m.failed) all.insert(r->seed);
  }
  for (const ComparedModel& m : group.models) {
    std::set<std::int64_t> missing = all;
    for (const RunRow* r : m.rows) missing.erase(r->seed);
    for (const RunRow* r : m.failed) {
      if (!missing.contains(r->seed)) continue;  // a later try ended well
      missing.erase(r->seed);
      group.warnings.push_back(fmt::format("{}, seed {} failed: {}", model_name(m), r->seed, r->error));
    }
    if (!missing.empty())
      group.warnings.push_back(
          fmt::format("{} lacks seed{} {}.", model_name(m), missing.size() > 1 ? "s" : "", joined(missing)));
  }
}

// The different texts that rows give for one property, those of no row with "" left out.
template <class Text>
std::set<std::string> values_of(const ComparedGroup& group, bool teacher, const Text& text) {
  std::set<std::string> values;
  for (const ComparedModel& m : group.models) {
    if (m.role == ModelRole::teacher && !teacher) continue;
    for (const RunRow* r : m.rows)
      if (std::string v = text(*r); !v.empty()) values.insert(std::move(v));
  }
  return values;
}

std::string text_of(const std::optional<std::int64_t>& v) { return v ? std::to_string(*v) : ""; }

void warn_of_differences(ComparedGroup& group) {
  const auto warn = [&](const std::set<std::string>& values, const char* what) {
    if (values.size() > 1) group.warnings.push_back(fmt::format("{}: {}.", what, joined(values)));
  };
  // A teacher may be trained for longer; its students are compared with each other.
  warn(values_of(group, false, [](const RunRow& r) { return text_of(r.steps); }),
       "Unequal budgets: students were trained for different numbers of steps");
  warn(values_of(group, false, [](const RunRow& r) { return text_of(r.train_cases); }),
       "Students were trained with different numbers of cases");
  warn(values_of(group, true, [](const RunRow& r) { return fmt::format("{}", fmt::join(r.macs_size, " x ")); }),
       "MACs and latency are of pictures of different sizes");
  warn(values_of(group, true,
                 [](const RunRow& r) {
                   if (r.device.empty() && !r.threads) return std::string();
                   return r.device + (r.threads ? fmt::format(" with {} threads", *r.threads) : "");
                 }),
       "Latency and training time are of different devices");
  warn(values_of(group, true, [](const RunRow& r) { return r.distance_unit; }), "Distances are in different units");
  warn(values_of(group, true, [](const RunRow& r) { return r.protocol; }), "Scored by different protocols");
  warn(values_of(group, true, [](const RunRow& r) { return r.version; }), "Made by different versions of graphflow");
}

void warn_of_roles(ComparedGroup& group, bool on_test) {
  if (!group.student.empty() && !group.find(ModelRole::student))
    group.warnings.push_back(
        fmt::format("{} alone is missing: there is nothing to measure a gain from.", group.student));
  if (!group.teacher.empty() && !group.find(ModelRole::teacher))
    group.warnings.push_back(fmt::format("The teacher {} is missing: no gap can be formed.", group.teacher));
  for (const ComparedModel& m : group.models)
    for (const RunRow* r : m.rows) {
      const RunScores& scores = on_test ? r->test : r->validation;
      if (scores.means.empty())
        group.warnings.push_back(fmt::format("{}, seed {} has no scores of this split.", model_name(m), r->seed));
      else if (scores.cases.empty())
        group.warnings.push_back(fmt::format("{}, seed {} has no scores of single cases.", model_name(m), r->seed));
    }
}

}  // namespace

void add_warnings(ComparedGroup& group, bool on_test) {
  warn_of_roles(group, on_test);
  warn_of_seeds(group);
  warn_of_differences(group);
}

}  // namespace gf
