#include "apps/compare/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "apps/report/html_text.h"

namespace gf {
namespace {

std::string signed_text(double v, int digits) {
  if (std::isnan(v)) return "–";
  const bool zero = std::abs(v) < 0.5 * std::pow(10, -digits);
  return fmt::format("{}{:.{}f}", zero ? "±" : v > 0 ? "+" : "−", std::abs(v), digits);
}

std::string spread_text(const Spread& s, int digits) {
  const std::string mean = score_text(s.mean, digits);
  return std::isnan(s.deviation) ? mean : mean + " ± " + score_text(s.deviation, digits);
}

std::string seconds_text(double s) {
  if (!std::isfinite(s)) return "–";
  return s < 120    ? fmt::format("{:.0f} s", s)
         : s < 7200 ? fmt::format("{:.1f} min", s / 60)
                    : fmt::format("{:.1f} h", s / 3600);
}

std::string p_text(double p) {
  if (std::isnan(p)) return "–";
  return p < 1e-4 ? "< 0.0001" : fmt::format("{:.4f}", p);
}

std::string test_text(const WilcoxonTest& t) {
  if (t.pairs == 0) return "–";
  return t.method == WilcoxonMethod::none ? "all equal" : p_text(t.p);
}

std::string cases_text(const Gain& g) {
  if (g.cases_left_out == 0) return std::to_string(g.test.pairs);
  return fmt::format("{} of {}", g.test.pairs, static_cast<std::size_t>(g.test.pairs) + g.cases_left_out);
}

std::string gap_text(const ComparedModel& m, const Gain& g) {
  if (m.role != ModelRole::distilled) return "";
  switch (g.gap.verdict) {
    case GapVerdict::formed: {
      const std::string percent = fmt::format("{:.0f}", std::abs(100 * g.gap.closed));
      return (g.gap.closed < 0 && percent != "0" ? "−" : "") + percent + " %";
    }
    case GapVerdict::no_gap:
      return "no gap";
    case GapVerdict::needs_seeds:
      return "needs 2+ seeds";
    default:
      return "–";
  }
}

ReportTable scores_table(const Comparison& c, const ComparedGroup& group) {
  ReportTable t{.title = "Scores", .note = {}, .header = {"Model", "Seeds"}, .rows = {}};
  for (const std::string& metric : c.shown) t.header.push_back(metric_title(c, metric));
  for (const ComparedModel& m : group.models) {
    const std::string failed = m.failed.empty() ? "" : fmt::format(" ({} failed)", m.failed.size());
    std::vector<std::string> row{model_title(m), std::to_string(m.rows.size()) + failed};
    for (const std::string& metric : c.shown) row.push_back(spread_text(m.scores.at(metric), metric_digits(metric)));
    t.rows.push_back(std::move(row));
  }
  return t;
}

ReportTable costs_table(const ComparedGroup& group) {
  ReportTable t{.title = "Size and speed",
                .note = {},
                .header = {"Model", "Parameters", "MACs", "Latency, ms", "Training"},
                .rows = {}};
  for (const ComparedModel& m : group.models)
    if (!m.rows.empty())
      t.rows.push_back({model_title(m), count_text(m.parameters), count_text(m.macs), score_text(m.latency_ms, 1),
                        seconds_text(m.train_seconds)});
  return t;
}

// Why there is a gap, or none.
std::string gap_note(const ComparedGroup& group, const std::string& metric) {
  const ComparedModel* student = group.find(ModelRole::student);
  const ComparedModel* teacher = group.find(ModelRole::teacher);
  if (!teacher) return "No teacher: no gap.";
  const Gap gap = gap_of(teacher->scores.at(metric), student->scores.at(metric), student->scores.at(metric).mean,
                         higher_is_better(metric));
  const int digits = metric_digits(metric);
  if (gap.verdict == GapVerdict::incomplete) return "A score is missing: no gap.";
  std::string s = fmt::format("{} is {} {} than {} alone", group.teacher, score_text(std::abs(gap.difference), digits),
                              gap.difference < 0 ? "worse" : "better", group.student);
  if (gap.verdict == GapVerdict::needs_seeds)
    return s + "; whether that is a gap cannot be said without two seeds of each.";
  return s + fmt::format(", two standard deviations are {}: {}.", score_text(gap.needed, digits),
                         gap.verdict == GapVerdict::formed ? "a gap" : "no gap, the gain itself is the result");
}

std::vector<std::string> test_notes(const ComparedGroup& group, const std::string& metric) {
  std::vector<std::string> notes;
  for (const ComparedModel& m : group.models) {
    if (!m.gains.contains(metric)) continue;
    const Gain& g = m.gains.at(metric);
    const int differ = g.test.pairs - g.test.zeros;
    if (g.common_seeds == 0 && !m.rows.empty())
      notes.push_back(model_title(m) + " shares no seed with the student alone.");
    else if (differ > 0 && differ < 6)
      notes.push_back(fmt::format("{}: with {} case{} that differ{} no p can be below {:g}.", model_title(m), differ,
                                  differ > 1 ? "s" : "", differ > 1 ? "" : "s", std::pow(0.5, differ - 1)));
  }
  return notes;
}

ReportTable gains_table(const ComparedGroup& group, const std::string& metric) {
  const int digits = metric_digits(metric);
  ReportTable t{.title = fmt::format("{}: gain over {} alone{}", metric_title(metric), group.student,
                                     higher_is_better(metric) ? "" : " (less is better)"),
                .note = gap_note(group, metric),
                .header = {"Model", "Gain", "p", "p, Holm", "Cases", "Gap closed"},
                .rows = {}};
  for (const std::string& note : test_notes(group, metric)) t.note += " " + note;
  for (const ComparedModel& m : group.models) {
    if (!m.gains.contains(metric)) continue;
    const Gain& g = m.gains.at(metric);
    t.rows.push_back({model_title(m), signed_text(g.change, digits), test_text(g.test),
                      m.role == ModelRole::distilled ? p_text(g.p_holm) : "", cases_text(g), gap_text(m, g)});
  }
  return t;
}

}  // namespace

std::string metric_title(const Comparison& c, const std::string& metric) {
  if (higher_is_better(metric)) return metric_title(metric);
  return metric_title(metric) + (c.distance_unit.empty() ? "" : ", " + c.distance_unit) + " ↓";
}

std::string metric_title(const std::string& metric) {
  for (const auto& [name, title] : {std::pair{"dice", "Dice"},
                                    {"iou", "IoU"},
                                    {"hd95", "HD95"},
                                    {"assd", "ASSD"},
                                    {"nsd", "NSD"},
                                    {"accuracy", "Accuracy"}})
    if (metric == name) return title;
  return metric;
}

int metric_digits(const std::string& metric) { return higher_is_better(metric) ? 4 : 2; }

std::string model_title(const ComparedModel& model) {
  return model.role == ModelRole::teacher   ? model.name + " (teacher)"
         : model.role == ModelRole::student ? model.name + " alone"
                                            : model.name;
}

std::string title_of(const Comparison& c) {
  std::set<std::string> names;
  for (const RunRow& r : c.rows) names.insert(r.experiment);
  const bool one = names.size() == 1 && !names.begin()->empty() && names.begin()->find('/') == std::string::npos;
  return one ? *names.begin() : "Comparison";
}

std::vector<GroupTables> tables_of(const Comparison& c) {
  std::vector<GroupTables> all;
  for (const ComparedGroup& group : c.groups) {
    GroupTables t{group.title(), scores_table(c, group), {}, costs_table(group), group.warnings};
    if (group.find(ModelRole::student))
      for (const std::string& metric : c.chosen) {
        ReportTable gains = gains_table(group, metric);
        if (!gains.rows.empty()) t.gains.push_back(std::move(gains));
      }
    all.push_back(std::move(t));
  }
  return all;
}

std::vector<std::string> reading_notes(const Comparison& c) {
  std::vector<std::string> notes{
      fmt::format("Scores: {} split, mean ± sample standard deviation over the seeds.",
                  c.on_test ? "test" : "validation"),
      "Gain: mean of the model less mean of the student alone. p: Wilcoxon's signed-rank test, two-sided, paired by "
      "case, "
      "each case's scores averaged over the seeds both have: it speaks of other cases for these trained models, not of "
      "other "
      "seeds. Holm: corrected for the number of methods in the table.",
      "Gap closed: (method − student alone) / (teacher − student alone), only where the teacher is better than the "
      "student "
      "alone by more than 2·√(s_T² + s_S²), s being the standard deviations over their seeds.",
      "MACs: multiply-accumulates of one picture. Latency and training time: means over the seeds; a run folder's "
      "training time is that of its steps, without validations."};
  return notes;
}

}  // namespace gf
