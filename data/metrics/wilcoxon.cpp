#include "data/metrics/wilcoxon.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace gf {
namespace {

constexpr int kExactPairs = 50, kExactPairsWithTies = 13;

struct Ranks {
  std::vector<int> doubled;  // of |difference|, from least to largest; twice the rank, so that shared ranks are whole
  std::vector<bool> positive;
  double tie_term = 0;  // sum of t^3 - t over the groups of t equal sizes
};

Ranks rank(std::vector<double> d) {
  std::sort(d.begin(), d.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  Ranks r;
  for (std::size_t i = 0; i < d.size();) {
    std::size_t end = i;
    while (end < d.size() && std::abs(d[end]) == std::abs(d[i])) ++end;
    // ranks i+1 .. end, whose mean doubled is their ends' sum
    for (std::size_t k = i; k < end; ++k) {
      r.doubled.push_back(static_cast<int>(i + 1 + end));
      r.positive.push_back(d[k] > 0);
    }
    const auto t = static_cast<double>(end - i);
    r.tie_term += t * t * t - t;
    i = end;
  }
  return r;
}

// How many of the 2^n choices of signs give each doubled sum of positive ranks; whole numbers below 2^53.
std::vector<double> sign_counts(const std::vector<int>& doubled) {
  std::vector<double> counts(static_cast<std::size_t>(std::accumulate(doubled.begin(), doubled.end(), 0)) + 1);
  counts[0] = 1;
  std::size_t reached = 0;
  for (const int r : doubled) {
    const auto step = static_cast<std::size_t>(r);
    for (std::size_t s = reached + 1; s-- > 0;) counts[s + step] += counts[s];
    reached += step;
  }
  return counts;
}

double exact_p(const std::vector<int>& doubled, double plus) {
  const std::vector<double> counts = sign_counts(doubled);
  const auto at = static_cast<std::ptrdiff_t>(std::lround(2 * plus));
  const double below = std::accumulate(counts.begin(), counts.begin() + at + 1, 0.0);
  const double above = std::accumulate(counts.begin() + at, counts.end(), 0.0);
  return std::min(1.0, 2 * std::min(below, above) / std::pow(2.0, static_cast<double>(doubled.size())));
}

}  // namespace

WilcoxonTest wilcoxon_signed_rank(std::span<const double> differences) {
  WilcoxonTest test;
  std::vector<double> d;
  for (const double v : differences) {
    if (std::isnan(v)) continue;
    ++test.pairs;
    if (v == 0)
      ++test.zeros;
    else
      d.push_back(v);
  }
  if (d.empty()) return test;
  const Ranks ranks = rank(std::move(d));
  for (std::size_t i = 0; i < ranks.doubled.size(); ++i)
    (ranks.positive[i] ? test.plus : test.minus) += ranks.doubled[i] / 2.0;
  const bool tied = test.zeros > 0 || ranks.tie_term > 0;
  if (test.pairs <= (tied ? kExactPairsWithTies : kExactPairs)) {
    test.method = WilcoxonMethod::exact;
    test.p = exact_p(ranks.doubled, test.plus);
    return test;
  }
  test.method = WilcoxonMethod::normal;
  const auto n = static_cast<double>(ranks.doubled.size());
  const double mean = n * (n + 1) / 4, variance = (n * (n + 1) * (2 * n + 1) - ranks.tie_term / 2) / 24;
  test.p = std::erfc(std::abs(test.plus - mean) / std::sqrt(2 * variance));
  return test;
}

std::vector<double> holm(std::span<const double> p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (!std::isnan(p[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.begin(), p.end());
  double least = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    least = std::max(least, std::min(1.0, static_cast<double>(order.size() - k) * p[order[k]]));
    adjusted[order[k]] = least;
  }
  return adjusted;
}

}  // namespace gf
