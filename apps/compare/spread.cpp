// The arithmetic of comparison.h: spread over the seeds, and the rule for the gap.
#include <cmath>
#include <numeric>

#include "apps/compare/comparison.h"

namespace gf {

Spread spread_of(const std::map<std::int64_t, double>& by_seed) {
  Spread s;
  for (const auto& [seed, value] : by_seed) {
    if (!std::isfinite(value)) continue;
    s.seeds.push_back(seed);
    s.values.push_back(value);
  }
  const auto n = static_cast<double>(s.values.size());
  if (s.values.empty()) return s;
  s.mean = std::accumulate(s.values.begin(), s.values.end(), 0.0) / n;
  if (s.values.size() < 2) return s;
  double squares = 0;
  for (const double v : s.values) squares += (v - s.mean) * (v - s.mean);
  s.deviation = std::sqrt(squares / (n - 1));
  return s;
}

Gap gap_of(const Spread& teacher, const Spread& student, double model_mean, bool higher_is_better) {
  Gap gap;
  if (std::isnan(teacher.mean) || std::isnan(student.mean) || std::isnan(model_mean)) return gap;
  gap.difference = (teacher.mean - student.mean) * (higher_is_better ? 1 : -1);
  if (std::isnan(teacher.deviation) || std::isnan(student.deviation)) {
    gap.verdict = GapVerdict::needs_seeds;
    return gap;
  }
  gap.needed = 2 * std::hypot(teacher.deviation, student.deviation);
  gap.verdict = gap.difference > gap.needed ? GapVerdict::formed : GapVerdict::no_gap;
  if (gap.verdict == GapVerdict::formed) gap.closed = (model_mean - student.mean) / (teacher.mean - student.mean);
  return gap;
}

bool higher_is_better(std::string_view metric) {
  for (const std::string_view distance : {"hd", "hausdorff", "assd", "asd", "loss"})
    if (metric.starts_with(distance)) return false;
  return true;
}

}  // namespace gf
