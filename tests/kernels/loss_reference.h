#pragma once
// The losses on logits and their gradients in double precision, and random logits and labels.
#include <algorithm>

#include "tests/kernels/reference_tools.h"

namespace gf::harness {

constexpr int kIgnore = 1000;  // beyond every number of classes below
constexpr double kUpstream = -1.75;

inline Buffer<> scalar() { return Buffer<>({1, 1, 1, 1}); }
inline Buffer<> scalar(double v) { return Buffer<>::of({1, 1, 1, 1}, 0, {v}); }
inline Buffer<std::int32_t> counter() { return Buffer<std::int32_t>({1, 1, 1, 1}); }

// Random labels, about every eighth to be ignored.
inline Buffer<std::int32_t> random_labels(const Shape& z, std::int64_t extra, unsigned seed) {
  Buffer<std::int32_t> label = Buffer<std::int32_t>::random({z.n, z.h, z.w, 1}, extra, seed, 0, 1e6);
  for (std::int64_t p = 0; p < z.pixels(); ++p) {
    const std::int32_t v = label.at(p, 0);
    label.at(p, 0) = v % 8 == 0 ? kIgnore : static_cast<std::int32_t>(v % z.c);
  }
  return label;
}

// Shapes small enough for central differences, and ones that take several chunks and blocks; packs of every dtype.
template <class Body>
void for_logits(const Body& body) {
  const Shape shapes[] = {{2, 3, 2, 2},   {1, 3, 2, 9},    {1, 2, 1, 31},  {1, 1, 2, 33},  {1, 4, 3, 1},
                          {1, 33, 33, 9}, {1, 16, 33, 16}, {1, 47, 50, 2}, {1, 3, 5, 257}, {1, 2, 2, 264}};
  for (const Shape& shape : shapes)
    for (const std::int64_t extra : {0, 3}) {
      if (shape.c > 200 && (extra == 0) != (shape.c % 8 == 0)) continue;  // one way is enough for what takes long
      INFO(shape.str(), " extra ", extra);
      body(shape, extra, shape.count() <= 72);
    }
}

// Runs a case where T's bodies are: float32 everywhere, bf16 on the GPU.
template <class T, class Run>
void on_devices_of(const Run& run) {
  if constexpr (std::is_same_v<T, float>) {
    on_every_device(run);
  } else {
    on_every_gpu(run);
  }
}

inline Values probabilities(const Values& z, std::int64_t c, double tau = 1) {
  Values p = z;
  for (std::size_t first = 0; first < z.size(); first += at(c)) {
    double top = -1e300, sum = 0;
    for (std::size_t i = first; i < first + at(c); ++i) top = std::max(top, z[i]);
    for (std::size_t i = first; i < first + at(c); ++i) sum += p[i] = std::exp((z[i] - top) / tau);
    for (std::size_t i = first; i < first + at(c); ++i) p[i] /= sum;
  }
  return p;
}

inline bool counts(double label, std::int64_t c) { return label >= 0 && label < static_cast<double>(c); }

inline double weight_of(const Values& weights, double label) {
  return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(label)];
}
inline double total_weight(const Values& label, const Values& weights, std::int64_t c) {
  double total = 0;
  for (const double y : label) total += counts(y, c) ? weight_of(weights, y) : 0;
  return total;
}

inline double cross_entropy_reference(const Values& z, const Values& label, const Values& weights, std::int64_t c) {
  const Values p = probabilities(z, c);
  const double total = total_weight(label, weights, c);
  double loss = 0;
  for (std::size_t q = 0; q < label.size(); ++q)
    if (counts(label[q], c))
      loss -= weight_of(weights, label[q]) * std::log(p[q * at(c) + static_cast<std::size_t>(label[q])]);
  return total == 0 ? 0 : loss / total;
}

inline Values cross_entropy_gradient_reference(const Values& z, const Values& label, const Values& weights,
                                               std::int64_t c) {
  const double total = total_weight(label, weights, c);
  Values dz = probabilities(z, c);
  for (std::size_t i = 0; i < dz.size(); ++i) {
    const double y = label[i / at(c)], hit = static_cast<double>(i % at(c)) == y ? 1 : 0;
    dz[i] = counts(y, c) ? weight_of(weights, y) / total * (dz[i] - hit) : 0;
  }
  return dz;
}

// Intersection, sum p^2, sum t^2 of every class.
inline Values dice_sums_reference(const Values& z, const Values& label, std::int64_t c) {
  const Values p = probabilities(z, c);
  Values sums(at(3 * c));
  for (std::size_t i = 0; i < p.size(); ++i) {
    const std::size_t k = i % at(c);
    if (!counts(label[i / at(c)], c)) continue;
    const double t = label[i / at(c)] == static_cast<double>(k) ? 1 : 0;
    sums[k] += p[i] * t;
    sums[at(c) + k] += p[i] * p[i];
    sums[at(2 * c) + k] += t;
  }
  return sums;
}

inline double dice_reference(const Values& z, const Values& label, double smooth, std::int64_t c) {
  const Values sums = dice_sums_reference(z, label, c);
  double mean = 0;
  for (std::size_t k = 0; k < at(c); ++k)
    mean += (2 * sums[k] + smooth) / (sums[at(c) + k] + sums[at(2 * c) + k] + smooth) / static_cast<double>(c);
  return 1 - mean;
}

inline Values dice_gradient_reference(const Values& z, const Values& label, double smooth, std::int64_t c) {
  const Values p = probabilities(z, c), sums = dice_sums_reference(z, label, c);
  Values dz;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const std::size_t first = i / at(c) * at(c);
    const auto slope = [&](std::size_t j) {
      const std::size_t k = j - first;
      const double d = sums[at(c) + k] + sums[at(2 * c) + k] + smooth, n = 2 * sums[k] + smooth;
      const double t = label[i / at(c)] == static_cast<double>(k) ? 1 : 0;
      return -(2 * t / d - 2 * p[j] * n / (d * d)) / static_cast<double>(c);
    };
    double mean = 0;
    for (std::size_t j = first; j < first + at(c); ++j) mean += p[j] * slope(j);
    dz.push_back(counts(label[i / at(c)], c) ? p[i] * (slope(i) - mean) : 0);
  }
  return dz;
}

// The teacher's logits t, but the student's s where the teacher is wrong: there nothing is left to distil. Labels are
// of the first pixels.
inline Values without_wrong(const Values& s, Values t, const Values& label, std::int64_t c) {
  for (std::size_t p = 0; p < label.size(); ++p) {
    if (!counts(label[p], c)) continue;
    const auto first = t.begin() + static_cast<std::ptrdiff_t>(p * at(c));
    if (*std::max_element(first, first + c) > first[static_cast<std::ptrdiff_t>(label[p])])
      std::copy_n(s.begin() + static_cast<std::ptrdiff_t>(p * at(c)), c, first);
  }
  return t;
}

inline double kd_reference(const Values& s, const Values& t, double tau, bool element_mean, std::int64_t c) {
  const Values ps = probabilities(s, c, tau), pt = probabilities(t, c, tau);
  double sum = 0;
  for (std::size_t i = 0; i < s.size(); ++i)
    if (pt[i] > 0) sum += pt[i] * std::log(pt[i] / ps[i]);
  return tau * tau * sum / static_cast<double>(element_mean ? s.size() : s.size() / at(c));
}

inline Values kd_gradient_reference(const Values& s, const Values& t, double tau, bool element_mean, std::int64_t c) {
  const Values ps = probabilities(s, c, tau), pt = probabilities(t, c, tau);
  Values ds;
  for (std::size_t i = 0; i < s.size(); ++i)
    ds.push_back(tau / static_cast<double>(element_mean ? s.size() : s.size() / at(c)) * (ps[i] - pt[i]));
  return ds;
}

inline Values times(double factor, Values v) {
  for (double& x : v) x *= factor;
  return v;
}

}  // namespace gf::harness
