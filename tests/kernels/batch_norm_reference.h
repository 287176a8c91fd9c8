#pragma once
// What the cases of batch norm share: one call's tensors, and references in double from the formulas.
#include <algorithm>

#include "kernels/batch_norm.h"
#include "tests/kernels/reference_tools.h"

namespace gf::harness {

using Act = NormActivation;
constexpr Act kActs[] = {Act::none, Act::relu, Act::relu6, Act::leaky_relu, Act::prelu};

inline BatchNormShape with(Act act) {
  BatchNormShape s;
  s.act = act;
  s.slope = 0.1f;
  return s;
}

inline double activate(Act act, double slope, double v) {
  switch (act) {
    case Act::none:
      return v;
    case Act::relu:
      return std::max(v, 0.0);
    case Act::relu6:
      return std::min(std::max(v, 0.0), 6.0);
    case Act::leaky_relu:
    case Act::prelu:
      return v > 0 ? v : slope * v;
  }
  return v;
}

struct Statistics {
  Values mean, var;
};

inline Statistics statistics(const Values& x, std::int64_t c) {
  Statistics s{Values(at(c)), Values(at(c))};
  const double n = static_cast<double>(x.size()) / static_cast<double>(c);
  for (std::size_t i = 0; i < x.size(); ++i) s.mean[i % at(c)] += x[i] / n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = x[i] - s.mean[i % at(c)];
    s.var[i % at(c)] += d * d / n;
  }
  return s;
}

inline Values inverse_std(const BatchNormShape& p, const Statistics& s) {
  Values v;
  for (const double var : s.var) v.push_back(1 / std::sqrt(var + static_cast<double>(p.eps)));
  return v;
}

// `slopes` are prelu's.
inline Values normalised(const BatchNormShape& p, const Values& x, const Statistics& s, const Values& gamma,
                         const Values& beta, const Values& residual, const Values& slopes) {
  Values y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % gamma.size();
    const double v = gamma[c] * (x[i] - s.mean[c]) / std::sqrt(s.var[c] + static_cast<double>(p.eps)) + beta[c];
    const double slope = p.act == Act::prelu ? slopes[c % slopes.size()] : static_cast<double>(p.slope);
    y.push_back(activate(p.act, slope, residual.empty() ? v : v + residual[i]));
  }
  return y;
}

// One call's tensors; T is the activations' type.
template <class T = float>
struct Case {
  Shape shape;
  BatchNormShape p;
  bool adds;
  Buffer<T> x, residual, y, dy, dx, d_residual;
  Buffer<> gamma, beta, running_mean, running_var, mean, inv_std, dgamma, dbeta, slope, d_slope;

  // prelu's slopes are of either sign; channels of a case with as many extra elements as residuals share one.
  Case(Shape s, std::int64_t extra, Act act, bool adds_, double low = -3, double high = 3)
      : shape(s),
        p(with(act)),
        adds(adds_),
        x(Buffer<T>::random(s, extra, 1, low, high)),
        residual(Buffer<T>::random(s, 2 * extra, 2, -2, 2)),
        y(s, extra),
        dy(Buffer<T>::random(s, extra, 7)),
        dx(s, 2 * extra),
        d_residual(s, extra),
        gamma(Buffer<>::random(vector(), 0, 3, 0.5, 3)),
        beta(Buffer<>::random(vector(), 0, 4)),
        running_mean(Buffer<>::random(vector(), 0, 5)),
        running_var(Buffer<>::random(vector(), 0, 6, 0.5, 2)),
        mean(vector()),
        inv_std(vector()),
        dgamma(vector()),
        dbeta(vector()),
        slope(Buffer<>::random((extra > 0) == adds ? Shape{1, 1, 1, 1} : vector(), 0, 8, -0.6, 0.9)),
        d_slope(slope.shape()) {}

  Shape vector() const { return {1, 1, 1, shape.c}; }
  ConstView added() const { return adds ? residual.view() : ConstView{}; }
  Values added_values() const { return adds ? residual.values() : Values{}; }
  ConstView slopes() const { return p.act == Act::prelu ? slope.view() : ConstView{}; }
  // What the forward gives with these statistics, in double.
  Values expected(const Statistics& s) const {
    return normalised(p, x.values(), s, gamma.values(), beta.values(), added_values(), slope.values());
  }
  template <class Device>
  void train(const Device& device) {
    batch_norm_train(device, p, x.view(), gamma.view(), beta.view(), added(), running_mean.view(), running_var.view(),
                     mean.view(), inv_std.view(), y.view(), slopes());
  }
  template <class Device>
  void eval(const Device& device) {
    batch_norm_eval(device, p, x.view(), gamma.view(), beta.view(), added(), running_mean.view(), running_var.view(),
                    y.view(), slopes());
  }
  PreluBackward prelu() {
    if (p.act != Act::prelu) return {};
    return {slope.view(), beta.view(), added(), d_slope.view()};
  }
  template <class Device>
  void backward(const Device& device, bool training) {
    batch_norm_backward(device, p, training, x.view(), y.view(), dy.view(), gamma.view(), mean.view(), inv_std.view(),
                        dx.view(), dgamma.view(), dbeta.view(), adds ? d_residual.view() : View{}, prelu());
  }
  // Everything a call may write.
  Values outputs() const {
    Values all;
    for (const Buffer<T>* b : {&y, &dx, &d_residual}) append(all, b->values());
    for (const Buffer<>* b : {&running_mean, &running_var, &mean, &inv_std, &dgamma, &dbeta, &d_slope})
      append(all, b->values());
    return all;
  }
  void check_sentinels() const {
    for (const Buffer<T>* b : {&x, &residual, &y, &dy, &dx, &d_residual}) CHECK(b->sentinels_intact());
    for (const Buffer<>* b :
         {&gamma, &beta, &running_mean, &running_var, &mean, &inv_std, &dgamma, &dbeta, &slope, &d_slope})
      CHECK(b->sentinels_intact());
  }
};

// Gradients by the textbook formula in double.
struct Gradients {
  Values dx, dgamma, dbeta, d_slope, g;
  double slope_terms;  // the largest sum of sizes behind a d_slope: what its rounding is relative to
};

template <class T>
Gradients reference_backward(const Case<T>& c, bool training) {
  const Values x = c.x.values(), y = c.y.values(), dy = c.dy.values(), gamma = c.gamma.values();
  const Values beta = c.beta.values(), residual = c.added_values(), slopes = c.slope.values();
  const Values mean = c.mean.values(), inv_std = c.inv_std.values();
  const std::size_t width = gamma.size();
  const bool learns = c.p.act == Act::prelu;
  const double n = static_cast<double>(x.size() / width);
  Gradients r{{}, Values(width), Values(width), Values(slopes.size()), {}, 0};
  Values sizes(slopes.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t k = i % width;
    const double x_hat = (x[i] - mean[k]) * inv_std[k];
    const double z = gamma[k] * x_hat + beta[k] + (residual.empty() ? 0.0 : residual[i]);
    const double slope = learns                       ? slopes[k % slopes.size()]
                         : c.p.act == Act::leaky_relu ? static_cast<double>(c.p.slope)
                                                      : 0.0;
    const bool passes = c.p.act == Act::none || (learns ? z > 0 : y[i] > 0 && (c.p.act != Act::relu6 || y[i] < 6));
    r.g.push_back(dy[i] * (passes ? 1.0 : slope));
    r.dbeta[k] += r.g[i];
    r.dgamma[k] += r.g[i] * x_hat;
    r.d_slope[k % slopes.size()] += dy[i] * std::min(z, 0.0);
    sizes[k % slopes.size()] += std::fabs(dy[i] * std::min(z, 0.0));
  }
  r.slope_terms = *std::max_element(sizes.begin(), sizes.end());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t k = i % width;
    const double x_hat = (x[i] - mean[k]) * inv_std[k];
    const double through = training ? r.dbeta[k] / n + x_hat * r.dgamma[k] / n : 0.0;
    r.dx.push_back(gamma[k] * inv_std[k] * (r.g[i] - through));
  }
  return r;
}

}  // namespace gf::harness
