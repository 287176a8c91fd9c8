#pragma once
// Wilcoxon's signed-rank test (F. Wilcoxon, "Individual comparisons by ranking methods", 1945): do paired scores of two
// models differ, whatever their distribution? And Holm's correction for asking that of several models at once.
#include <limits>
#include <span>
#include <vector>

namespace gf {

enum class WilcoxonMethod {
  none,   // no pair differs: there is nothing to rank
  exact,  // all 2^n signs of the ranks counted
  normal  // the normal approximation, variance corrected for ties, no continuity correction
};

struct WilcoxonTest {
  int pairs = 0;               // with zeros
  int zeros = 0;               // pairs without a difference: dropped before ranking, as Wilcoxon did
  double plus = 0, minus = 0;  // sums of the ranks of the positive and of the negative differences
  double p = std::numeric_limits<double>::quiet_NaN();  // two-sided; NaN for method none
  WilcoxonMethod method = WilcoxonMethod::none;
};

// Of the differences of the pairs; NaN is left out and not counted. Equal sizes share the mean of their ranks.
// The method is chosen as SciPy's `wilcoxon` does (1.13 and later): with ties or zeros exact up to 13 pairs, without
// them exact up to 50.
WilcoxonTest wilcoxon_signed_rank(std::span<const double> differences);

// Holm's step-down adjustment (S. Holm, 1979): p-values that hold together. In the order given; NaN stays NaN and does
// not count as a test.
std::vector<double> holm(std::span<const double> p);

}  // namespace gf
