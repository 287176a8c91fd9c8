#include "data/metrics/confidence.h"

#include <cmath>
#include <numbers>
#include <string>

#include "kernels/error.h"

namespace gf {
namespace {

// P(|T| < t) for t = √degrees · tan θ: a sum of degrees / 2 terms.
double probability_within(double theta, int degrees) {
  const double sine = std::sin(theta), cosine = std::cos(theta);
  const bool odd = degrees % 2 == 1;
  double term = odd ? cosine : 1, sum = degrees > 1 ? term : 0;
  for (int k = odd ? 3 : 2; k < degrees; k += 2) {
    term *= (k - 1.0) / k * cosine * cosine;
    sum += term;
  }
  return odd ? 2 / std::numbers::pi * (theta + sine * sum) : sine * sum;
}

}  // namespace

double student_quantile(double p, int degrees) {
  if (degrees < 1 || !(p > 0 && p < 1))
    fail("no quantile of Student's t", "degrees of freedom " + std::to_string(degrees), "at least 1, and 0 < p < 1",
         std::to_string(p));
  if (p == 0.5) return 0;
  const double within = std::abs(2 * p - 1);
  double low = 0, high = std::numbers::pi / 2;
  for (double middle; middle = (low + high) / 2, middle > low && middle < high;)
    (probability_within(middle, degrees) < within ? low : high) = middle;
  return std::copysign(std::sqrt(degrees) * std::tan((low + high) / 2), p - 0.5);
}

MeanInterval mean_interval95(std::span<const double> values) {
  MeanInterval m;
  double sum = 0;
  for (const double v : values)
    if (!std::isnan(v)) sum += v, ++m.n;
  if (m.n == 0 || !std::isfinite(sum)) return m;
  m.mean = sum / m.n;
  if (m.n == 1) return m;
  double squares = 0;
  for (const double v : values)
    if (!std::isnan(v)) squares += (v - m.mean) * (v - m.mean);
  const double half = student_quantile(0.975, m.n - 1) * std::sqrt(squares / (m.n - 1) / m.n);
  m.low = m.mean - half;
  m.high = m.mean + half;
  return m;
}

}  // namespace gf
