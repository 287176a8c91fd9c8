// Against SciPy (tests/golden/make_wilcoxon.py), and Holm's correction by hand.
#include "data/metrics/wilcoxon.h"

#include <cmath>
#include <sstream>

#include "data/csv.h"
#include "tests/data/fixtures.h"

using namespace gf;

TEST_CASE("the signed-rank test agrees with SciPy") {
  const CsvTable golden = CsvTable::read(std::string(GF_SOURCE_DIR) + "/tests/golden/wilcoxon.csv");
  REQUIRE(golden.rows() == 16);
  int exact = 0;
  for (std::size_t row = 0; row < golden.rows(); ++row) {
    CAPTURE(golden.at(row, golden.column("name")));
    std::istringstream text(golden.at(row, golden.column("differences")));
    std::vector<double> d;
    for (double v; text >> v;) d.push_back(v);
    const WilcoxonTest t = wilcoxon_signed_rank(d);
    CHECK(t.pairs == static_cast<int>(d.size()));
    CHECK(t.plus == std::stod(golden.at(row, golden.column("plus"))));
    const double n = t.pairs - t.zeros;
    CHECK(t.plus + t.minus == n * (n + 1) / 2);
    const double p = std::stod(golden.at(row, golden.column("p")));
    CHECK(std::abs(t.p - p) <= 1e-12 * p);
    exact += t.method == WilcoxonMethod::exact;

    for (double& v : d) v = -v;
    CHECK(wilcoxon_signed_rank(d).p == doctest::Approx(t.p).epsilon(1e-13));
    CHECK(wilcoxon_signed_rank(d).plus == t.minus);
  }
  CHECK(exact == 10);
}

TEST_CASE("pairs that say nothing: equal, unknown, none") {
  WilcoxonTest t = wilcoxon_signed_rank({});
  CHECK(t.method == WilcoxonMethod::none);
  CHECK(std::isnan(t.p));
  t = wilcoxon_signed_rank(std::vector<double>{0, -0.0, 0});
  CHECK(t.method == WilcoxonMethod::none);
  CHECK(t.pairs == 3);
  CHECK(t.zeros == 3);
  CHECK(std::isnan(t.p));
  t = wilcoxon_signed_rank(std::vector<double>{NAN, 1, 2, 3, NAN});
  CHECK(t.pairs == 3);
  CHECK(t.p == 0.25);  // 2 of 2^3
}

TEST_CASE("Holm's correction: the least p times their number, never falling, never above 1") {
  const std::vector<double> p = holm(std::vector<double>{0.01, NAN, 0.04, 0.03, 0.9, 0.005});
  CHECK(p[5] == doctest::Approx(5 * 0.005));
  CHECK(p[0] == doctest::Approx(4 * 0.01));
  CHECK(p[3] == doctest::Approx(3 * 0.03));
  CHECK(p[2] == doctest::Approx(3 * 0.03));  // 2 * 0.04 lies below
  CHECK(p[4] == doctest::Approx(0.9));
  CHECK(std::isnan(p[1]));
  CHECK(holm(std::vector<double>{0.7, 0.8})[0] == 1);
  CHECK(holm({}).empty());
}
