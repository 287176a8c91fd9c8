#pragma once
// Plain NHWC arrays in double precision: what the reference implementations of the case list compute with. They know
// nothing of tensors, strides or tapes.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/view.h"

namespace gf::test {

struct Array {
  Shape shape;
  std::vector<double> v;

  Array() = default;
  explicit Array(const Shape& s, double value = 0) : shape(s), v(static_cast<std::size_t>(s.count()), value) {}

  std::size_t index(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) const {
    return static_cast<std::size_t>(((n * shape.h + h) * shape.w + w) * shape.c + c);
  }
  double& at(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) { return v[index(n, h, w, c)]; }
  double at(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) const { return v[index(n, h, w, c)]; }
  bool inside(std::int64_t h, std::int64_t w) const { return h >= 0 && h < shape.h && w >= 0 && w < shape.w; }

  // The element that broadcasting pairs with element (n,h,w,c) of a larger array.
  double broadcast_at(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) const {
    return at(shape.n == 1 ? 0 : n, shape.h == 1 ? 0 : h, shape.w == 1 ? 0 : w, shape.c == 1 ? 0 : c);
  }
};

using Arrays = std::vector<Array>;

// Calls visit(n, h, w, c) for every element in memory order.
template <class Visit>
void for_each_element(const Shape& s, const Visit& visit) {
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t h = 0; h < s.h; ++h)
      for (std::int64_t w = 0; w < s.w; ++w)
        for (std::int64_t c = 0; c < s.c; ++c) visit(n, h, w, c);
}

// In long double: differences of such sums are divided by squares of small steps.
inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  long double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<long double>(a[i]) * static_cast<long double>(b[i]);
  return static_cast<double>(sum);
}

inline double largest(const std::vector<double>& v) {
  double m = 0;
  for (const double x : v) m = std::max(m, std::abs(x));
  return m;
}

// max|a - b| / max|b|, infinite where a holds a NaN or inf. `floor` stands in for max|b| where b is about zero.
inline double relative_error(const std::vector<double>& a, const std::vector<double>& b, double floor = 1e-30) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double error = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return std::numeric_limits<double>::infinity();
    error = std::max(error, std::abs(a[i] - b[i]));
  }
  return error / std::max(largest(b), floor);
}

// |a - b| / |b| as norms of the whole, infinite and with a floor likewise.
inline double norm_error(const std::vector<double>& a, const std::vector<double>& b, double floor = 1e-30) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  std::vector<double> difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return std::numeric_limits<double>::infinity();
    difference[i] = a[i] - b[i];
  }
  return std::sqrt(dot(difference, difference)) / std::max(std::sqrt(dot(b, b)), floor);
}

}  // namespace gf::test
