// What a comparison computes: groups, spread, tests, gap and warnings, with numbers found by hand.
#include "apps/compare/comparison.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "apps/compare/plots.h"
#include "tests/apps/sample_rows.h"

using namespace gf;

namespace {

const ComparedModel& model(const ComparedGroup& g, const std::string& name) {
  const auto at =
      std::find_if(g.models.begin(), g.models.end(), [&](const ComparedModel& m) { return m.name == name; });
  REQUIRE(at != g.models.end());
  return *at;
}

Comparison compare(std::vector<RunRow> rows, std::vector<std::string> metrics = {}) {
  return compare_rows(std::move(rows), "test", std::move(metrics));
}

bool warned(const ComparedGroup& g, const std::string& text) {
  const bool found =
      std::any_of(g.warnings.begin(), g.warnings.end(), [&](const std::string& w) { return contains(w, text); });
  if (!found)
    for (const std::string& w : g.warnings) MESSAGE("warning: ", w);
  return found;
}

// Teacher and student alone with these deviations, 0 and `difference` on the mean.
Gap gap(double difference, double teacher, double student, double method = 0.5, bool higher = true) {
  const Spread t = spread_of({{1, difference - teacher}, {2, difference}, {3, difference + teacher}});
  const Spread s = spread_of({{1, -student}, {2, 0}, {3, student}});
  return gap_of(t, s, method, higher);
}

}  // namespace

TEST_CASE("spread over seeds: mean and sample standard deviation of what is known") {
  const Spread s = spread_of({{3, 0.9}, {1, 0.7}, {2, NAN}, {5, 0.8}, {4, INFINITY}});
  CHECK(s.seeds == std::vector<std::int64_t>{1, 3, 5});
  CHECK(s.mean == doctest::Approx(0.8));
  CHECK(s.deviation == doctest::Approx(0.1));
  CHECK(std::isnan(spread_of({{1, 0.5}}).deviation));
  CHECK(spread_of({{1, 0.5}}).mean == 0.5);
  CHECK(std::isnan(spread_of({}).mean));
}

TEST_CASE("the gap is formed above twice the root of both variances, and only there") {
  // 2 sqrt(0.03^2 + 0.04^2) = 0.1
  CHECK(gap(0.101, 0.03, 0.04).verdict == GapVerdict::formed);
  CHECK(gap(0.101, 0.03, 0.04).needed == doctest::Approx(0.1));
  CHECK(gap(0.101, 0.03, 0.04, 0.0505).closed == doctest::Approx(0.5));
  // more than twice the larger of the two, 0.08, is not enough
  CHECK(gap(0.099, 0.03, 0.04).verdict == GapVerdict::no_gap);
  CHECK(std::isnan(gap(0.099, 0.03, 0.04).closed));
  CHECK(gap(-0.5, 0.03, 0.04).verdict == GapVerdict::no_gap);  // a teacher that is worse
  CHECK(gap(0, 0, 0).verdict == GapVerdict::no_gap);
  // of distances less is better
  CHECK(gap(0.5, 0.03, 0.04, 0.1, false).verdict == GapVerdict::no_gap);
  CHECK(gap(-0.5, 0.03, 0.04, -0.1, false).verdict == GapVerdict::formed);
  CHECK(gap(-0.5, 0.03, 0.04, -0.1, false).closed == doctest::Approx(0.2));
  CHECK(gap(-0.5, 0.03, 0.04, 0.1, false).closed == doctest::Approx(-0.2));

  const Spread one = spread_of({{1, 0.9}}), three = spread_of({{1, 0.1}, {2, 0.1}, {3, 0.1}});
  CHECK(gap_of(one, three, 0.5, true).verdict == GapVerdict::needs_seeds);
  CHECK(gap_of(three, one, 0.5, true).verdict == GapVerdict::needs_seeds);
  CHECK(gap_of({}, three, 0.5, true).verdict == GapVerdict::incomplete);
  CHECK(gap_of(three, three, NAN, true).verdict == GapVerdict::incomplete);
}

TEST_CASE("which metrics are better when they are less") {
  for (const char* name : {"hd95", "hd", "assd", "asd", "hausdorff"}) CHECK_FALSE(higher_is_better(name));
  for (const char* name : {"dice", "iou", "accuracy", "dice_pooled"}) CHECK(higher_is_better(name));
}

TEST_CASE("a table of teacher, student alone and methods") {
  std::vector<RunRow> rows = sample_rows();
  add_seeds(rows, "AT", 0.81);
  std::rotate(rows.begin(), rows.begin() + 3, rows.end());  // the teacher's rows last
  const Comparison c = compare(rows);
  REQUIRE(c.groups.size() == 1);
  const ComparedGroup& g = c.groups[0];
  REQUIRE(g.models.size() == 4);
  CHECK(g.models[0].role == ModelRole::teacher);
  CHECK(g.models[1].role == ModelRole::student);
  CHECK(g.models[2].name == "KD");
  CHECK(g.models[3].name == "AT");
  CHECK(g.models[2].scores.at("dice").mean == doctest::Approx(0.87));
  CHECK(g.models[2].scores.at("dice").deviation == doctest::Approx(0.02));
  CHECK(g.models[2].gains.at("dice").change == doctest::Approx(0.05));
  CHECK(g.models[2].gains.at("dice").gap.closed == doctest::Approx(0.5));
  CHECK(g.models[3].gains.at("dice").gap.closed == doctest::Approx(-0.1));
  CHECK(g.models[0].gains.at("dice").change == doctest::Approx(0.1));
  CHECK(g.models[0].gains.at("dice").gap.verdict == GapVerdict::incomplete);  // never of the teacher itself
  CHECK(g.models[1].gains.empty());
  CHECK(c.chosen == std::vector<std::string>{"dice"});
}

TEST_CASE("the test pairs cases, each averaged over the seeds that both models have") {
  std::vector<RunRow> rows;
  const std::vector<double> base{0.5, 0.6, 0.7, 0.8, 0.75, 0.65};
  const auto add = [&](const std::string& name, int seed, const std::vector<double>& gains, double shift) {
    rows.push_back(sample_row(name, seed, 0.7));
    std::vector<double> dice;
    for (std::size_t i = 0; i < base.size(); ++i) dice.push_back(base[i] + gains[i] + shift);
    set_cases(rows.back(), dice);
  };
  const std::vector<double> none(6, 0.0), mixed{0.01, 0.02, 0.03, 0.04, 0.05, -0.06},
      better{0.01, 0.02, 0.03, 0.04, 0.05, 0.06};
  add("alone", 1, {0.9, -0.9, 0.9, -0.9, 0.9, -0.9}, 0);  // no method has this seed
  add("alone", 2, none, 0.03);
  add("alone", 3, none, -0.03);
  add("KD", 2, mixed, 0.05);
  add("KD", 3, mixed, -0.05);
  add("AT", 3, better, -0.03);
  add("AT", 4, none, 0.2);  // these two, the student has not
  add("AT", 0, none, -0.2);

  const Comparison c = compare(rows);
  const Gain& kd = model(c.groups[0], "KD").gains.at("dice");
  CHECK(kd.common_seeds == 2);
  CHECK(kd.test.pairs == 6);
  CHECK(kd.test.plus == 15);  // ranks 1 to 5
  CHECK(kd.test.minus == 6);
  CHECK(kd.test.p == 28.0 / 64);  // 14 of 64 subsets of 1..6 have a sum of 6 or less
  const Gain& at = model(c.groups[0], "AT").gains.at("dice");
  CHECK(at.common_seeds == 1);
  CHECK(at.test.p == 2.0 / 64);
  CHECK(at.p_holm == 4.0 / 64);
  CHECK(kd.p_holm == 28.0 / 64);
  CHECK(warned(c.groups[0], "KD lacks seeds 0, 1, 4."));
  CHECK(warned(c.groups[0], "AT lacks seeds 1, 2."));
  CHECK(warned(c.groups[0], "The teacher FANet is missing"));
}

TEST_CASE("a case counts in the seeds where the metric is defined for both, and not at all where it never is") {
  std::vector<RunRow> rows;
  const auto add = [&](const std::string& name, int seed, const std::vector<double>& dice) {
    rows.push_back(sample_row(name, seed, 0.7));
    set_cases(rows.back(), dice);
  };
  add("alone", 1, {0.5, NAN, 0.5, NAN});
  add("alone", 2, {0.5, 0.5, 0.5, 0.5});
  add("KD", 1, {0.6, 0.9, 0.7, 0.9});
  add("KD", 2, {0.6, 0.4, 0.7, NAN});
  rows.back().test.cases.push_back({"only here", {{"dice", 0.9}}});
  const Comparison c = compare(rows);
  const Gain& kd = c.groups[0].models[1].gains.at("dice");
  CHECK(kd.test.pairs == 3);
  CHECK(kd.cases_left_out == 2);
  // +0.1, -0.1 (seed 2 alone), +0.2: the first two share rank 1.5
  CHECK(kd.test.minus == 1.5);
}

TEST_CASE("teachers: of the same labels, else of all labels, a student of two teachers has two tables") {
  std::vector<RunRow> rows = sample_rows();
  for (RunRow& r : rows) r.labelled = 20;
  add_seeds(rows, "teacher", 0.95);
  for (std::size_t i = rows.size() - 3; i < rows.size(); ++i) rows[i].id += ".all";
  std::vector<RunRow> other = sample_rows();
  for (RunRow& r : other) {
    r.id += ".40";
    r.labelled = 40;
    if (r.role != ModelRole::teacher) rows.push_back(r);
  }
  Comparison c = compare(rows);
  REQUIRE(c.groups.size() == 2);
  CHECK(c.groups[0].title() == "nuclei, ENet taught by FANet, 20 labelled cases");
  CHECK(c.groups[0].models[0].scores.at("dice").mean == doctest::Approx(0.92));
  CHECK_FALSE(c.groups[0].teacher_has_all_labels);
  CHECK(c.groups[1].models[0].scores.at("dice").mean == doctest::Approx(0.95));
  CHECK(warned(c.groups[1], "trained with all labels"));

  rows = sample_rows();
  rows.push_back(sample_row("KD", 1, 0.9));
  rows.back().teacher = "U-Net";
  rows.back().id += ".unet";
  rows.push_back(sample_row("teacher", 1, 0.9));
  rows.back().teacher = "U-Net";
  rows.back().id += ".unet";
  c = compare(rows);
  REQUIRE(c.groups.size() == 2);
  CHECK(c.groups[1].teacher == "U-Net");
  CHECK(c.groups[1].models.size() == 3);
  CHECK(c.groups[1].models[1].rows.size() == 3);  // the student alone is in both
  CHECK(c.groups[1].models[2].rows.size() == 1);
  CHECK(c.groups[1].models[2].gains.at("dice").gap.verdict == GapVerdict::needs_seeds);

  // Rows that name no teacher, and a data set on its own.
  rows = sample_rows();
  for (RunRow& r : rows)
    if (r.role == ModelRole::student) r.teacher.clear();
  rows.push_back(sample_row("teacher", 7, 0.5));
  rows.back().dataset = "hippocampus";
  c = compare(rows);
  REQUIRE(c.groups.size() == 2);
  CHECK(c.groups[0].models.size() == 3);
  CHECK(c.groups[1].title() == "hippocampus, FANet");
}

TEST_CASE("nothing is dropped: failed rows, missing seeds and students, unequal conditions are said") {
  std::vector<RunRow> rows = sample_rows();
  rows[8].failed = true;  // KD, seed 3
  rows[8].error = "loss is NaN";
  rows[8].test = {};
  rows[7].steps = 1000;
  rows[6].steps = 2000;
  rows[0].steps = 9000;  // a teacher's budget is its own
  rows[3].device = "cuda";
  rows[4].device = "cpu";
  rows[4].threads = 2;
  rows[5].macs_size = {256, 256};
  rows[6].macs_size = {128, 128};
  rows[3].version = "1";
  rows[4].version = "2";
  rows[3].train_cases = 81;
  rows[4].train_cases = 40;
  Comparison c = compare(rows);
  const ComparedGroup& g = c.groups[0];
  CHECK(warned(g, "KD, seed 3 failed: loss is NaN"));
  CHECK(warned(g, "different numbers of steps: 1000, 2000."));
  CHECK(warned(g, "cpu with 2 threads, cuda"));
  CHECK(warned(g, "128 x 128, 256 x 256"));
  CHECK(warned(g, "versions of graphflow: 1, 2"));
  CHECK(warned(g, "numbers of cases: 40, 81"));
  CHECK(warned(g, "ENet alone, seed 1 has no scores of single cases"));
  CHECK(model(g, "KD").rows.size() == 2);
  CHECK(model(g, "KD").failed.size() == 1);
  CHECK(model(g, "KD").scores.at("dice").mean == doctest::Approx(0.86));

  rows = sample_rows();
  rows.erase(rows.begin() + 3, rows.begin() + 6);
  c = compare(rows);
  CHECK(warned(c.groups[0], "ENet alone is missing"));
  CHECK(c.groups[0].models[1].gains.empty());
}

TEST_CASE("what cannot be compared is refused") {
  CHECK(contains(error_of([] { compare({}); }), "3: nothing to compare"));
  CHECK(contains(error_of([] { compare(sample_rows(), {"dcie"}); }), "did you mean 'dice'?"));
  CHECK(contains(error_of([] { compare(sample_rows(), {"dcie"}); }), "2: no row has this metric"));
  CHECK(contains(error_of([] { compare_rows(sample_rows(), "train", {}); }), "2: no scores of this split"));
  CHECK(contains(error_of([] { compare_rows(sample_rows(), "val", {}); }), "try --split test"));
  std::vector<RunRow> rows = sample_rows();
  rows.push_back(sample_row("KD", 2, 0.5));
  rows.back().id = "again";
  rows.back().file = "rows/again.json";
  const std::string error = error_of([&] { compare(rows); });
  CHECK(contains(error, "3: two rows of one model and seed: rows/KD.2.json and rows/again.json"));
  CHECK(contains(error, "KD, seed 2"));
}

TEST_CASE("plots: a row a model, a curve a model against the labelled cases") {
  std::vector<RunRow> rows = sample_rows();
  for (RunRow& r : rows) r.train_cases = 81;
  std::vector<RunRow> few = sample_rows();
  for (RunRow& r : few) {
    r.id += ".few";
    r.labelled = 20;
    r.test.means["dice"] -= 0.2;
    if (r.role != ModelRole::teacher) rows.insert(rows.begin(), r);
  }
  const Comparison c = compare(rows);
  const SpreadChart chart = score_chart(c, c.groups.back(), "dice");
  REQUIRE(chart.rows.size() == 3);
  CHECK(chart.reference == 1);
  CHECK(chart.rows[2].values.size() == 3);

  const std::vector<LinePlot> plots = labelled_curves(c, "dice");
  REQUIRE(plots.size() == 1);
  const auto& series = plots[0].series;
  REQUIRE(series.size() == 3);
  const auto named = [&](const std::string& name) {
    const auto at = std::find_if(series.begin(), series.end(), [&](const PlotSeries& s) { return s.name == name; });
    REQUIRE(at != series.end());
    return *at;
  };
  CHECK(named("KD").x == std::vector<double>{20, 81});
  CHECK(named("KD").y[0] == doctest::Approx(0.67));
  CHECK(named("KD").y[1] == doctest::Approx(0.87));
  CHECK(named("KD").spread[0] == doctest::Approx(0.02));
  const PlotSeries teacher = named("FANet (teacher, all labels)");  // a level, no curve
  CHECK(teacher.y[0] == teacher.y[1]);
  CHECK(teacher.dashed);
  CHECK(labelled_curves(compare(sample_rows()), "dice").empty());
}
