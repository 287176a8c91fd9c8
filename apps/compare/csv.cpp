#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "apps/compare/tables.h"
#include "apps/compare/writers.h"
#include "data/csv.h"

namespace gf {
namespace {

std::string number(double v) { return std::isfinite(v) ? fmt::format("{}", v) : ""; }

const char* role_name(ModelRole role) {
  return role == ModelRole::teacher ? "teacher" : role == ModelRole::student ? "student" : "method";
}

const char* test_name(WilcoxonMethod m) {
  return m == WilcoxonMethod::exact ? "exact" : m == WilcoxonMethod::normal ? "normal" : "none";
}

const char* verdict_name(GapVerdict v) {
  switch (v) {
    case GapVerdict::formed:
      return "formed";
    case GapVerdict::no_gap:
      return "no_gap";
    case GapVerdict::needs_seeds:
      return "needs_seeds";
    default:
      return "incomplete";
  }
}

std::string seeds_of(const std::vector<const RunRow*>& rows) {
  std::string s;
  for (const RunRow* r : rows) s += (s.empty() ? "" : " ") + std::to_string(r->seed);
  return s;
}

std::string place(const Comparison& c, const ComparedGroup& g) {
  return fmt::format("{},{},{},{},{}", c.on_test ? "test" : "val", csv_field(g.dataset),
                     g.labelled ? std::to_string(*g.labelled) : "", csv_field(g.student), csv_field(g.teacher));
}

std::string metric_cells(const ComparedModel& m, const std::string& metric) {
  const Spread& s = m.scores.at(metric);
  std::string text = fmt::format(",{},{},{}", number(s.mean), number(s.deviation), s.values.size());
  if (!m.gains.contains(metric)) return text + ",,,,,,,,";
  const Gain& g = m.gains.at(metric);
  const bool method = m.role == ModelRole::distilled;
  return text + fmt::format(",{},{},{},{},{},{},{},{}", number(g.change), number(g.test.p), number(g.p_holm),
                            g.test.pairs, g.test.zeros, test_name(g.test.method),
                            method ? verdict_name(g.gap.verdict) : "", number(g.gap.closed));
}

}  // namespace

std::string csv_of(const Comparison& c) {
  std::string s =
      "split,dataset,labelled,student,teacher,role,model,seeds,failed_seeds,parameters,macs,latency_ms,train_seconds";
  for (const std::string& m : c.metrics)
    for (const char* column :
         {"mean", "std", "seeds", "gain", "p", "p_holm", "pairs", "zeros", "test", "gap", "gap_closed"})
      s += "," + csv_field(m + "_" + column);
  s += "\n";
  for (const ComparedGroup& g : c.groups)
    for (const ComparedModel& m : g.models) {
      s += fmt::format("{},{},{},{},{},{},{},{},{}", place(c, g), role_name(m.role), csv_field(m.name),
                       seeds_of(m.rows), seeds_of(m.failed), number(m.parameters), number(m.macs), number(m.latency_ms),
                       number(m.train_seconds));
      for (const std::string& metric : c.metrics) s += metric_cells(m, metric);
      s += "\n";
    }
  return s;
}

std::string cases_csv_of(const Comparison& c) {
  std::string s = "split,dataset,labelled,student,teacher,role,model,seed,case";
  for (const std::string& m : c.metrics) s += "," + csv_field(m);
  s += "\n";
  for (const ComparedGroup& g : c.groups)
    for (const ComparedModel& m : g.models)
      for (const RunRow* r : m.rows)
        for (const RunCase& one : (c.on_test ? r->test : r->validation).cases) {
          s += fmt::format("{},{},{},{},{}", place(c, g), role_name(m.role), csv_field(m.name), r->seed,
                           csv_field(one.id));
          for (const std::string& metric : c.metrics) {
            const auto at = one.values.find(metric);
            s += "," + (at == one.values.end() ? "" : number(at->second));
          }
          s += "\n";
        }
  return s;
}

}  // namespace gf
