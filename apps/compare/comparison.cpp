#include "apps/compare/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

#include "apps/compare/groups.h"
#include "apps/did_you_mean.h"
#include "kernels/error.h"

namespace gf {
namespace {

const RunScores& scores_of(const RunRow& r, bool test) { return test ? r.test : r.validation; }

const std::vector<std::string> kUsual{"dice", "iou", "hd95", "assd", "nsd", "accuracy"};

std::vector<std::string> metrics_of(const std::vector<RunRow>& rows, bool test) {
  std::vector<std::string> metrics = kUsual;
  std::set<std::string> known;
  for (const RunRow& r : rows)
    for (const auto& [name, value] : scores_of(r, test).means)
      if (std::isfinite(value)) known.insert(name);
  for (const std::string& name : known)
    if (std::find(metrics.begin(), metrics.end(), name) == metrics.end()) metrics.push_back(name);
  std::erase_if(metrics, [&](const std::string& name) { return !known.contains(name); });
  return metrics;
}

double mean_of(const std::vector<const RunRow*>& rows, double RunRow::*value) {
  double sum = 0;
  int n = 0;
  for (const RunRow* r : rows) {
    if (!std::isfinite(r->*value)) continue;
    sum += r->*value;
    ++n;
  }
  return n > 0 ? sum / n : kUnknown;
}

const RunRow* row_of_seed(const ComparedModel& m, std::int64_t seed) {
  const auto at = std::find_if(m.rows.begin(), m.rows.end(), [&](const RunRow* r) { return r->seed == seed; });
  return at == m.rows.end() ? nullptr : *at;
}

// The sum of a metric over the seeds in which both have it, for the cases of both.
struct CasePair {
  double model = 0, student = 0;
  int seeds = 0;
};

void test_cases(Gain& gain, const ComparedModel& model, const ComparedModel& student, const std::string& metric,
                bool test) {
  std::map<std::string, CasePair> pairs;
  for (const RunRow* r : model.rows) {
    const RunRow* s = row_of_seed(student, r->seed);
    if (!s) continue;
    ++gain.common_seeds;
    std::map<std::string_view, double> of_student;
    for (const RunCase& c : scores_of(*s, test).cases) {
      pairs[c.id];
      const auto at = c.values.find(metric);
      if (at != c.values.end()) of_student[c.id] = at->second;
    }
    for (const RunCase& c : scores_of(*r, test).cases) {
      CasePair& pair = pairs[c.id];
      const auto mine = c.values.find(metric);
      const auto other = of_student.find(c.id);
      if (mine == c.values.end() || other == of_student.end()) continue;
      if (!std::isfinite(mine->second) || !std::isfinite(other->second)) continue;
      pair.model += mine->second;
      pair.student += other->second;
      ++pair.seeds;
    }
  }
  std::vector<double> differences;
  for (const auto& [id, pair] : pairs) {
    if (pair.seeds > 0) differences.push_back(pair.model / pair.seeds - pair.student / pair.seeds);
  }
  gain.cases_left_out = pairs.size() - differences.size();
  gain.test = wilcoxon_signed_rank(differences);
}

void measure(ComparedGroup& group, const std::vector<std::string>& metrics, bool test) {
  for (ComparedModel& m : group.models) {
    for (const std::string& metric : metrics) {
      std::map<std::int64_t, double> by_seed;
      for (const RunRow* r : m.rows) {
        const MetricValues& means = scores_of(*r, test).means;
        const auto at = means.find(metric);
        if (at != means.end()) by_seed[r->seed] = at->second;
      }
      m.scores[metric] = spread_of(by_seed);
    }
    m.parameters = mean_of(m.rows, &RunRow::parameters);
    m.macs = mean_of(m.rows, &RunRow::macs);
    m.latency_ms = mean_of(m.rows, &RunRow::latency_ms);
    m.train_seconds = mean_of(m.rows, &RunRow::train_seconds);
  }
}

void weigh(ComparedGroup& group, const std::string& metric, bool test) {
  const ComparedModel* student = group.find(ModelRole::student);
  if (!student) return;
  const ComparedModel* teacher = group.find(ModelRole::teacher);
  std::vector<double> p;
  for (ComparedModel& m : group.models) {
    if (m.role == ModelRole::student) continue;
    Gain& gain = m.gains[metric];
    gain.change = m.scores[metric].mean - student->scores.at(metric).mean;
    test_cases(gain, m, *student, metric, test);
    if (m.role == ModelRole::teacher) continue;
    gain.gap = gap_of(teacher ? teacher->scores.at(metric) : Spread{}, student->scores.at(metric),
                      m.scores[metric].mean, higher_is_better(metric));
    p.push_back(gain.test.p);
  }
  p = holm(p);
  auto adjusted = p.begin();
  for (ComparedModel& m : group.models)
    if (m.role == ModelRole::distilled) m.gains[metric].p_holm = *adjusted++;
}

std::vector<std::string> choose(const std::vector<std::string>& metrics, std::vector<std::string> chosen) {
  if (chosen.empty()) return {metrics.front()};
  for (const std::string& name : chosen) {
    if (std::find(metrics.begin(), metrics.end(), name) != metrics.end()) continue;
    std::string all;
    for (const std::string& m : metrics) all += (all.empty() ? "" : ", ") + m;
    throw Error(ErrorKind::usage,
                {"no row has this metric", "--metric " + name, "one of " + all, "", did_you_mean(name, metrics)});
  }
  return chosen;
}

}  // namespace

const ComparedModel* ComparedGroup::find(ModelRole role) const {
  const auto at = std::find_if(models.begin(), models.end(), [&](const ComparedModel& m) { return m.role == role; });
  return at == models.end() ? nullptr : &*at;
}

std::string ComparedGroup::title() const {
  std::string s = dataset;
  const auto add = [&](const std::string& text) { s += (s.empty() ? "" : ", ") + text; };
  if (!student.empty() && !teacher.empty())
    add(student + " taught by " + teacher);
  else if (!student.empty() || !teacher.empty())
    add(student + teacher);
  if (labelled) add(fmt::format("{} labelled cases", *labelled));
  return s;
}

Comparison compare_rows(std::vector<RunRow> rows, const std::string& split, std::vector<std::string> chosen) {
  if (split != "test" && split != "val")
    throw Error(ErrorKind::usage, {"no scores of this split are kept", "--split " + split, "test or val", "", ""});
  Comparison c;
  c.rows = std::move(rows);
  c.on_test = split == "test";
  if (c.rows.empty()) bad_data("nothing to compare", "", "rows", "none", "name an experiment's folder or run folders");
  c.metrics = metrics_of(c.rows, c.on_test);
  if (c.metrics.empty()) {
    const bool other = !metrics_of(c.rows, !c.on_test).empty();
    bad_data("no scores to compare", fmt::format("{} row(s), split {}", c.rows.size(), split), "at least one score",
             "none", other ? std::string("try --split ") + (c.on_test ? "val" : "test") : "did every row fail?");
  }
  c.chosen = choose(c.metrics, std::move(chosen));
  for (const std::string& m : c.metrics) {
    const auto holds = [&](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), m) != list.end();
    };
    if (holds(kUsual) || holds(c.chosen)) c.shown.push_back(m);
  }
  c.groups = group_rows(c.rows);
  for (ComparedGroup& group : c.groups) {
    measure(group, c.metrics, c.on_test);
    for (const std::string& metric : c.metrics) weigh(group, metric, c.on_test);
    add_warnings(group, c.on_test);
  }
  std::set<std::string> units;
  for (const RunRow& r : c.rows)
    if (!r.failed) units.insert(r.distance_unit);
  if (units.size() == 1) c.distance_unit = *units.begin();
  if (!c.on_test) c.warnings.push_back("Validation scores: checkpoints were chosen on them.");
  return c;
}

}  // namespace gf
