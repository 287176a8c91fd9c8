#pragma once
// Rows set against each other: what is averaged, tested and claimed. No text and no files: tables.h and writers.h.
//
// A group is what one table shows: one data set, one number of labelled cases, one student, one teacher. Its models:
// the teacher, the student trained alone, and each method. A teacher or a student alone belongs to every group it fits;
// where no teacher was trained with the group's labels, the one trained with all of them stands in.
//
// Spread. Mean and sample standard deviation (n - 1) over the seeds; of one seed the deviation is unknown.
//
// Gain. Mean of the model less mean of the student alone. Its test is Wilcoxon's signed-rank test, two-sided, over the
// cases: a case's two numbers are the means over the seeds that both models have, over those seeds in which the metric
// is defined for both (HD95 is not where a class was missed). Holm's correction runs over the methods of the group.
// Cases are the units, seeds are not: a p-value speaks of these training runs on other cases.
//
// Gap closed. (S_kd - S) / (T - S) on the means, only where the teacher is better than the student alone by more than
//
//     2 sqrt(s_T^2 + s_S^2),    s_T, s_S: sample standard deviations over the seeds of teacher and student alone
//
// The root is the deviation of the difference between one teacher and one student, seeds drawn independently. It is
// never less than either deviation or their pooled one, so a gap it lets through would pass with any of them. Where the
// teacher or the student alone has one seed, the rule cannot be applied. Better means less for distances (hd95, assd).
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/compare/run_row.h"
#include "data/metrics/wilcoxon.h"

namespace gf {

struct Spread {
  std::vector<std::int64_t> seeds;  // rising; those with a known value
  std::vector<double> values;       // one a seed
  double mean = kUnknown, deviation = kUnknown;
};
Spread spread_of(const std::map<std::int64_t, double>& by_seed);

enum class GapVerdict {
  formed,
  no_gap,       // the teacher is not better by enough
  needs_seeds,  // teacher or student alone has fewer than two
  incomplete    // a score of teacher, student alone or method is missing
};
struct Gap {
  GapVerdict verdict = GapVerdict::incomplete;
  double closed = kUnknown;                         // formed: 1 is the teacher
  double difference = kUnknown, needed = kUnknown;  // how much better the teacher is, and must be: both positive
};
Gap gap_of(const Spread& teacher, const Spread& student, double model_mean, bool higher_is_better);

struct Gain {
  double change = kUnknown;
  WilcoxonTest test;
  std::size_t common_seeds = 0;
  std::size_t cases_left_out = 0;  // of the two models' cases, those that give no pair
  double p_holm = kUnknown;        // of methods only
  Gap gap;                         // of methods only
};

struct ComparedModel {
  ModelRole role = ModelRole::student;
  std::string name;
  std::vector<const RunRow*> rows = {};  // done, by seed
  std::vector<const RunRow*> failed = {};
  std::map<std::string, Spread> scores = {};  // by metric
  std::map<std::string, Gain> gains = {};     // by metric, over the student alone; the student alone has none
  double parameters = kUnknown, macs = kUnknown;
  double latency_ms = kUnknown, train_seconds = kUnknown;  // means over the seeds
};

struct ComparedGroup {
  std::string dataset, student, teacher;
  std::optional<std::int64_t> labelled;
  bool teacher_has_all_labels = false;     // and the others have not
  std::vector<ComparedModel> models = {};  // teacher, student alone, methods as they came
  std::vector<std::string> warnings = {};  // what makes the table less than it seems

  const ComparedModel* find(ModelRole role) const;
  std::string title() const;
};

struct Comparison {
  std::vector<RunRow> rows;          // the groups point into it
  bool on_test = true;               // the split
  std::vector<std::string> metrics;  // all that some row has, the usual ones first
  std::vector<std::string> shown;    // in tables and plots: the usual and the chosen ones
  std::vector<std::string> chosen;   // those whose gains are shown
  std::string distance_unit;         // of hd95; empty where rows do not say or disagree
  std::vector<ComparedGroup> groups;
  std::vector<std::string> warnings;  // of the whole

  Comparison() = default;
  Comparison(Comparison&&) = default;
  Comparison& operator=(Comparison&&) = default;
};

bool higher_is_better(std::string_view metric);

// `split`: test or val. `chosen`: metrics, or none for dice (else the first there is). Errors: usage for a split or a
// metric that no row has; bad_data for no row at all and for two rows of one model and seed in one group.
Comparison compare_rows(std::vector<RunRow> rows, const std::string& split, std::vector<std::string> chosen);

}  // namespace gf
