#pragma once
// What the cases of batch norm share: one call's tensors, and references in double from the formulas.
#include "kernels/batch_norm.h"
#include "tests/kernels/reference_tools.h"

namespace gf::harness {

using Act = NormActivation;
constexpr Act kActs[] = {Act::none, Act::relu, Act::relu6, Act::leaky_relu};

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

inline Values normalised(const BatchNormShape& p, const Values& x, const Statistics& s, const Values& gamma,
                         const Values& beta, const Values& residual) {
  Values y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % gamma.size();
    const double v = gamma[c] * (x[i] - s.mean[c]) / std::sqrt(s.var[c] + static_cast<double>(p.eps)) + beta[c];
    y.push_back(activate(p.act, static_cast<double>(p.slope), residual.empty() ? v : v + residual[i]));
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
  Buffer<> gamma, beta, running_mean, running_var, mean, inv_std, dgamma, dbeta;

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
        dbeta(vector()) {}

  Shape vector() const { return {1, 1, 1, shape.c}; }
  ConstView added() const { return adds ? residual.view() : ConstView{}; }
  Values added_values() const { return adds ? residual.values() : Values{}; }
  template <class Device>
  void train(const Device& device) {
    batch_norm_train(device, p, x.view(), gamma.view(), beta.view(), added(), running_mean.view(), running_var.view(),
                     mean.view(), inv_std.view(), y.view());
  }
  template <class Device>
  void eval(const Device& device) {
    batch_norm_eval(device, p, x.view(), gamma.view(), beta.view(), added(), running_mean.view(), running_var.view(),
                    y.view());
  }
  template <class Device>
  void backward(const Device& device, bool training) {
    batch_norm_backward(device, p, training, x.view(), y.view(), dy.view(), gamma.view(), mean.view(), inv_std.view(),
                        dx.view(), dgamma.view(), dbeta.view(), adds ? d_residual.view() : View{});
  }
  // Everything a call may write.
  Values outputs() const {
    Values all;
    for (const Buffer<T>* b : {&y, &dx, &d_residual}) append(all, b->values());
    for (const Buffer<>* b : {&running_mean, &running_var, &mean, &inv_std, &dgamma, &dbeta}) append(all, b->values());
    return all;
  }
  void check_sentinels() const {
    for (const Buffer<T>* b : {&x, &residual, &y, &dy, &dx, &d_residual}) CHECK(b->sentinels_intact());
    for (const Buffer<>* b : {&gamma, &beta, &running_mean, &running_var, &mean, &inv_std, &dgamma, &dbeta})
      CHECK(b->sentinels_intact());
  }
};

// Gradients by the textbook formula in double.
struct Gradients {
  Values dx, dgamma, dbeta, g;
};

template <class T>
Gradients reference_backward(const Case<T>& c, bool training) {
  const Values x = c.x.values(), y = c.y.values(), dy = c.dy.values(), gamma = c.gamma.values();
  const Values mean = c.mean.values(), inv_std = c.inv_std.values();
  const std::size_t width = gamma.size();
  const double n = static_cast<double>(x.size() / width);
  Gradients r{{}, Values(width), Values(width), {}};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double slope = c.p.act == Act::leaky_relu ? static_cast<double>(c.p.slope) : 0.0;
    const bool passes = c.p.act == Act::none || (y[i] > 0 && (c.p.act != Act::relu6 || y[i] < 6));
    r.g.push_back(dy[i] * (passes ? 1.0 : slope));
    r.dbeta[i % width] += r.g[i];
    r.dgamma[i % width] += r.g[i] * (x[i] - mean[i % width]) * inv_std[i % width];
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t k = i % width;
    const double x_hat = (x[i] - mean[k]) * inv_std[k];
    const double through = training ? r.dbeta[k] / n + x_hat * r.dgamma[k] / n : 0.0;
    r.dx.push_back(gamma[k] * inv_std[k] * (r.g[i] - through));
  }
  return r;
}

}  // namespace gf::harness
