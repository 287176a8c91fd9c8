#pragma once
// How far a mean over cases may be off: its 95 % confidence interval by Student's t (W. S. Gosset, "The probable error
// of a mean", 1908), mean ± t(0.975, n - 1) · s / √n. Closed-form and without random numbers, so that a table can be
// checked by hand. It takes the cases as drawn independently from the population that is spoken of, says nothing of
// other seeds or training data, and is not cut to a score's range.
#include <limits>
#include <span>

namespace gf {

// The value that a t-distributed number stays below with probability `p`. Exact sums (Abramowitz and Stegun 26.7.3 and
// 26.7.4), inverted by bisection. Error for degrees < 1 and p outside (0, 1).
double student_quantile(double p, int degrees);

struct MeanInterval {
  static constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
  double mean = unknown, low = unknown, high = unknown;
  int n = 0;
};

// NaN is left out and not counted. One value has a mean and no interval; with an infinite one there is neither.
MeanInterval mean_interval95(std::span<const double> values);

}  // namespace gf
