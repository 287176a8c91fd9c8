// Confidence intervals against SciPy (tests/golden/make_confidence.py), against closed forms, and in summary.json.
#include "data/metrics/confidence.h"

#include <cmath>
#include <fstream>
#include <iterator>
#include <numbers>
#include <sstream>

#include "data/csv.h"
#include "data/metrics/segmentation_metrics.h"
#include "tests/data/fixtures.h"

using namespace gf;

namespace {

CaseScore with_dice(const std::string& id, double first, double second) {
  CaseScore c{id, {}, {}, ConfusionMatrix(3), {}};
  for (int k = 0; k < 3; ++k) c.classes.push_back(overlap_score(c.confusion, k));
  c.classes[1].dice = first;
  c.classes[2].dice = second;
  return c;
}

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("intervals of means agree with SciPy") {
  const CsvTable golden = CsvTable::read(std::string(GF_SOURCE_DIR) + "/tests/golden/confidence.csv");
  REQUIRE(golden.rows() == 9);
  for (std::size_t row = 0; row < golden.rows(); ++row) {
    CAPTURE(golden.at(row, golden.column("name")));
    const auto number = [&](const char* column) { return std::stod(golden.at(row, golden.column(column))); };
    std::istringstream text(golden.at(row, golden.column("values")));
    std::vector<double> values;
    for (double v; text >> v;) values.push_back(v);
    const MeanInterval m = mean_interval95(values);
    CHECK(m.n == static_cast<int>(values.size()));
    CHECK(student_quantile(0.975, m.n - 1) == doctest::Approx(number("t")).epsilon(1e-12));
    CHECK(m.low == doctest::Approx(number("low")).epsilon(1e-11));
    CHECK(m.high == doctest::Approx(number("high")).epsilon(1e-11));

    values.insert(values.begin() + 1, NAN);  // a case without the class
    CHECK(mean_interval95(values).n == m.n);
    CHECK(mean_interval95(values).low == m.low);
  }
}

TEST_CASE("quantiles of Student's t where they have a closed form") {
  for (const double p : {0.6, 0.9, 0.975, 0.9999}) {
    CHECK(student_quantile(p, 1) == doctest::Approx(std::tan(std::numbers::pi * (p - 0.5))).epsilon(1e-12));
    CHECK(student_quantile(p, 2) == doctest::Approx((2 * p - 1) / std::sqrt(2 * p * (1 - p))).epsilon(1e-12));
    CHECK(student_quantile(1 - p, 7) == doctest::Approx(-student_quantile(p, 7)).epsilon(1e-12));
  }
  CHECK(student_quantile(0.5, 3) == 0);
  CHECK(student_quantile(0.975, 1000000) == doctest::Approx(1.959964).epsilon(3e-6));  // the normal distribution's
  CHECK_THROWS(student_quantile(0.975, 0));
  CHECK_THROWS(student_quantile(1, 5));
}

TEST_CASE("no interval of one case, of none, and where a distance is infinite") {
  MeanInterval m = mean_interval95(std::vector<double>{NAN, 0.7});
  CHECK(m.n == 1);
  CHECK(m.mean == 0.7);
  CHECK(std::isnan(m.low));
  CHECK(std::isnan(m.high));
  m = mean_interval95({});
  CHECK(m.n == 0);
  CHECK(std::isnan(m.mean));
  m = mean_interval95(std::vector<double>{1, INFINITY, 2});
  CHECK(m.n == 3);
  CHECK(std::isnan(m.mean));
  CHECK(std::isnan(m.low));
}

TEST_CASE("summary.json: intervals per class and of the foreground, beside nnU-Net's keys") {
  SegmentationScores s({"background", "a", "b"});
  s.add(with_dice("one", 0.25, 0.5));
  CaseScore two = with_dice("two", 0.75, NAN);
  two.reference_file = "b.png";
  two.more_reference_files = {"b_1.png", "b \"2\".png"};
  s.add(two);
  const TemporaryFolder folder;
  s.write_summary_json(folder / "summary.json");
  const std::string json = text_of(folder / "summary.json");
  // Of 0.25 and 0.75: 0.5 ± 12.7062 · 0.3535534 / √2; class b has one case; of the cases' means 0.375 and 0.75.
  CHECK(json.find(R"("ci95": {"1": {"Dice": [-2.676551184, 3.676551184], "IoU": null,)") != json.npos);
  CHECK(json.find(R"("2": {"Dice": null, "IoU": null,)") != json.npos);
  CHECK(json.find(R"("foreground_ci95": {"Dice": [-1.819913388, 2.944913388],)") != json.npos);
  CHECK(json.find(R"("case": "one", "reference_file": "", "prediction_file": ""})") != json.npos);
  CHECK(
      json.find(
          R"("reference_file": "b.png", "prediction_file": "", "more_reference_files": ["b_1.png", "b \"2\".png"]})") !=
      json.npos);
  for (const char* key : {"\"foreground_mean\": {", "\"mean\": {", "\"metric_per_case\": [", "\"TP\": ", "\"n_ref\": "})
    CHECK_MESSAGE(json.find(key) != json.npos, key);
}
