#include "tests/harness/gradient_check.h"

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/random.h"
#include "kernels/bf16.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

using Scalar = std::function<double(const Arrays&)>;

constexpr double kFloor = 1e-3;  // gradients are of order one; smaller reference values are compared on this scale
constexpr std::size_t kAllUpTo = 24, kSample = 10;
constexpr int kDirections = 3;

struct Quotient {
  double value, spread;  // spread: how far the two best step sizes disagree
};

// The two neighbouring step sizes that agree best decide.
template <class At>
Quotient best_of(std::initializer_list<double> steps, const At& at) {
  std::vector<double> d;
  for (const double h : steps) d.push_back(at(h));
  Quotient best{d[1], std::abs(d[1] - d[0])};
  for (std::size_t i = 2; i < d.size(); ++i)
    if (std::abs(d[i] - d[i - 1]) < best.spread) best = {d[i], std::abs(d[i] - d[i - 1])};
  return best;
}

Arrays moved(Arrays x, std::size_t input, const std::vector<double>& direction, double step) {
  for (std::size_t i = 0; i < direction.size(); ++i) x[input].v[i] += step * direction[i];
  return x;
}

Arrays moved(Arrays x, const Arrays& direction, double step) {
  for (std::size_t k = 0; k < x.size(); ++k)
    for (std::size_t i = 0; i < direction[k].v.size(); ++i) x[k].v[i] += step * direction[k].v[i];
  return x;
}

// dF along `direction` of one input.
Quotient derivative(const Scalar& f, const Arrays& x, std::size_t input, const std::vector<double>& direction) {
  return best_of({1e-3, 3e-4, 1e-4}, [&](double h) {
    return (f(moved(x, input, direction, h)) - f(moved(x, input, direction, -h))) / (2 * h);
  });
}

// The derivative along `direction` of one input of (the derivative of F along `along`).
Quotient mixed_derivative(const Scalar& f, const Arrays& x, const Arrays& along, std::size_t input,
                          const std::vector<double>& direction) {
  return best_of({1e-2, 3e-3, 1e-3, 3e-4}, [&](double h) {
    const auto slope = [&](const Arrays& at) { return f(moved(at, along, h)) - f(moved(at, along, -h)); };
    return (slope(moved(x, input, direction, h)) - slope(moved(x, input, direction, -h))) / (4 * h * h);
  });
}

std::vector<double> signs(std::size_t count, Generator& g) {
  std::vector<double> v(count);
  for (double& s : v) s = g() & 1 ? 1 : -1;
  return v;
}

std::vector<std::size_t> sampled_elements(std::size_t count, Generator& g) {
  std::vector<std::size_t> list;
  for (std::size_t i = 0; i < count; ++i)
    if (count <= kAllUpTo) list.push_back(i);
  if (!list.empty() || count == 0) return list;
  list = {0, count - 1};
  for (std::size_t i = 0; i < kSample; ++i) list.push_back(g() % count);
  return list;
}

// Compares one input's gradient with quotient(direction) along elements and random signs.
template <class Along>
std::string compare(const std::string& what, const std::vector<double>& gradient, double tolerance, Generator& g,
                    const Along& quotient) {
  for (const double v : gradient)
    if (!std::isfinite(v)) return what + ": a gradient is NaN or infinite";
  double scale = std::max(largest(gradient), kFloor);
  struct Element {
    std::size_t at;
    Quotient q;
  };
  std::vector<Element> elements;
  for (const std::size_t i : sampled_elements(gradient.size(), g)) {
    std::vector<double> unit(gradient.size());
    unit[i] = 1;
    elements.push_back({i, quotient(unit)});
    scale = std::max(scale, std::abs(elements.back().q.value));
  }
  if (dtype_under_test() == DType::bf16) {  // the elements together, as a norm: single ones may cancel
    std::vector<double> found, expected;
    for (const Element& e : elements) {
      found.push_back(gradient[e.at]);
      expected.push_back(e.q.value);
    }
    const double error = norm_error(found, expected, kFloor);
    if (!(error <= tolerance)) return what + ": relative error of the elements looked at " + digits(error);
    elements.clear();
  }
  const auto verdict = [&](const std::string& place, double found, const Quotient& q, double size) -> std::string {
    if (q.spread > tolerance * size) return what + place + ": the reference has a kink here, choose other inputs";
    if (std::abs(found - q.value) <= tolerance * size) return {};
    return what + place + ": gradient " + digits(found) + ", difference quotient " + digits(q.value);
  };
  for (const Element& e : elements) {
    const std::string problem = verdict(", element " + std::to_string(e.at), gradient[e.at], e.q, scale);
    if (!problem.empty()) return problem;
  }
  const double norm = std::sqrt(dot(gradient, gradient));
  for (int k = 0; k < kDirections; ++k) {
    const std::vector<double> direction = signs(gradient.size(), g);
    const Quotient q = quotient(direction);
    const std::string problem =
        verdict(", along random signs", dot(gradient, direction), q, std::max({norm, std::abs(q.value), kFloor}));
    if (!problem.empty()) return problem;
  }
  return {};
}

std::string input_name(std::size_t i) { return "input " + std::to_string(i); }

std::vector<std::size_t> differentiable_inputs(const OpCase& c) {
  std::vector<std::size_t> list;
  for (std::size_t i = 0; i < c.inputs.size(); ++i)
    if (c.inputs[i].differentiable) list.push_back(i);
  return list;
}

std::vector<double> values_or_zeros(const Tensor& t, const Shape& s) { return t ? to_array(t).v : Array(s).v; }

// Everything a check of one case shares between layouts.
struct Setup {
  explicit Setup(const OpCase& c_)
      : c(c_), inputs(make_inputs(c)), random(named_stream(c.name() + " upstream")), wrt(differentiable_inputs(c)) {
    upstream = Array(c.reference(inputs).shape);
    normal()(upstream, random);
    for (double& v : upstream.v) {
      const float f = static_cast<float>(v);
      v = static_cast<double>(dtype_under_test() == DType::bf16 ? to_float(to_bf16(f)) : f);
    }
    objective = [this](const Arrays& x) { return dot(upstream.v, c.reference(x).v); };
  }
  Setup(const Setup&) = delete;

  // Fresh leaves; only those in `active` are on the tape.
  Tensors leaves(Layout layout, const std::vector<std::size_t>& active) const {
    Tensors t = to_tensors(c, inputs, layout);
    for (const std::size_t i : active) t[i].require_grad();
    return t;
  }
  // For the result y; losses and the like are float32 in a bf16 run too.
  Tensor upstream_tensor(Layout layout, const Tensor& y) const {
    return to_tensor(upstream, c.dense_upstream ? Layout::dense : layout, y.dtype());
  }
  Tensors chosen(const Tensors& t) const {
    Tensors list;
    for (const std::size_t i : wrt) list.push_back(t[i]);
    return list;
  }

  const OpCase& c;
  Arrays inputs;
  Array upstream;
  Generator random;
  std::vector<std::size_t> wrt;
  Scalar objective;
};

std::string check_alone(const Setup& s, Layout layout, const std::vector<std::vector<double>>& all, double tolerance) {
  for (std::size_t k = 0; k < s.wrt.size() && s.wrt.size() > 1; ++k) {
    const Tensors x = s.leaves(layout, {s.wrt[k]});
    const Tensor y = s.c.run(x);
    const Tensor g = gradients(y, {x[s.wrt[k]]}, s.upstream_tensor(layout, y))[0];
    if (relative_error(values_or_zeros(g, x[s.wrt[k]].shape()), all[k], kFloor) > tolerance)
      return input_name(s.wrt[k]) + ": its gradient alone differs from its gradient beside the others";
  }
  return {};
}

std::string check_backward_adds(const Setup& s, Layout layout, const std::vector<std::vector<double>>& all,
                                double tolerance) {
  const Tensors x = s.leaves(layout, s.wrt);
  for (int pass = 0; pass < 2; ++pass) {
    const Tensor y = s.c.run(x);
    backward(sum(y * s.upstream_tensor(layout, y)));
  }
  for (std::size_t k = 0; k < s.wrt.size(); ++k) {
    std::vector<double> twice = all[k];
    for (double& v : twice) v *= 2;
    if (relative_error(values_or_zeros(x[s.wrt[k]].grad(), x[s.wrt[k]].shape()), twice, kFloor) > tolerance)
      return input_name(s.wrt[k]) + ": two backward passes do not give twice the gradient";
  }
  return {};
}

const char* layout_name(Layout l) { return l == Layout::wide ? "wide inputs, " : ""; }

}  // namespace

std::string check_first_derivatives(const OpCase& c) {
  Setup s(c);
  const double tolerance = dtype_under_test() == DType::bf16 ? c.bf16_tolerance : 4 * c.tolerance;
  for (const Layout layout : {Layout::dense, Layout::wide}) {
    const Tensors x = s.leaves(layout, s.wrt);
    const Tensor y = c.run(x);
    const Tensors g = gradients(y, s.chosen(x), s.upstream_tensor(layout, y));
    std::vector<std::vector<double>> all;
    for (std::size_t k = 0; k < s.wrt.size(); ++k) all.push_back(values_or_zeros(g[k], c.inputs[s.wrt[k]].shape));
    std::string problem;
    for (std::size_t k = 0; k < s.wrt.size() && problem.empty(); ++k)
      problem = compare(input_name(s.wrt[k]), all[k], tolerance, s.random,
                        [&](const std::vector<double>& d) { return derivative(s.objective, s.inputs, s.wrt[k], d); });
    if (problem.empty()) problem = check_alone(s, layout, all, tolerance);
    if (problem.empty()) problem = check_backward_adds(s, layout, all, tolerance);
    if (!problem.empty()) return layout_name(layout) + problem;
  }
  return {};
}

std::string check_second_derivatives(const OpCase& c) {
  Setup s(c);
  const double tolerance = 4 * c.tolerance;
  Arrays along;
  for (const Array& x : s.inputs) along.emplace_back(x.shape);
  for (const std::size_t i : s.wrt) along[i].v = signs(along[i].v.size(), s.random);
  const Tensors v = to_tensors(c, along, Layout::dense);

  for (const Layout layout : {Layout::dense, Layout::wide}) {
    const Tensors x = s.leaves(layout, s.wrt);
    const Tensor y = c.run(x);
    Tensor upstream = s.upstream_tensor(layout, y);
    upstream.require_grad();
    const Tensors g = gradients(y, s.chosen(x), upstream, true);
    Tensor slope;
    for (std::size_t k = 0; k < s.wrt.size(); ++k) {
      if (!g[k]) return input_name(s.wrt[k]) + ": no gradient";
      const Tensor part = sum(g[k] * v[s.wrt[k]]);
      slope = slope ? slope + part : part;
    }
    Tensors wrt = s.chosen(x);
    wrt.push_back(upstream);
    const Tensors second = gradients(slope, wrt);

    // d slope / d upstream is the derivative of f itself along v.
    const double h = 1e-4;
    const Array ahead = c.reference(moved(s.inputs, along, h)), behind = c.reference(moved(s.inputs, along, -h));
    std::vector<double> forward_slope(ahead.v.size());
    for (std::size_t i = 0; i < forward_slope.size(); ++i) forward_slope[i] = (ahead.v[i] - behind.v[i]) / (2 * h);
    const double error = relative_error(values_or_zeros(second.back(), upstream.shape()), forward_slope, kFloor);
    if (!(error <= tolerance))
      return layout_name(layout) + std::string("with respect to the upstream gradient: relative error ") +
             digits(error);

    for (std::size_t k = 0; k < s.wrt.size(); ++k) {
      const auto quotient = [&](const std::vector<double>& d) {
        return mixed_derivative(s.objective, s.inputs, along, s.wrt[k], d);
      };
      const std::string problem = compare(input_name(s.wrt[k]), values_or_zeros(second[k], c.inputs[s.wrt[k]].shape),
                                          tolerance, s.random, quotient);
      if (!problem.empty()) return layout_name(layout) + problem;
    }
  }
  return {};
}

std::string check_scalar_gradient(const std::function<Tensor(const Tensors&)>& run, const Scalar& reference,
                                  const Arrays& inputs, double tolerance) {
  Tensors x;
  for (const Array& a : inputs) x.push_back(to_tensor(a, Layout::dense).require_grad());
  const Tensor y = run(x);
  const double expected = reference(inputs), value_error = std::abs(static_cast<double>(y.item()) - expected);
  if (value_error > tolerance * std::max(std::abs(expected), kFloor))
    return "value " + digits(static_cast<double>(y.item())) + ", expected " + digits(expected);
  const Tensors g = gradients(y, x);
  Generator random(1);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::string problem =
        compare(input_name(k), values_or_zeros(g[k], inputs[k].shape), tolerance, random,
                [&](const std::vector<double>& d) { return derivative(reference, inputs, k, d); });
    if (!problem.empty()) return problem;
  }
  return {};
}

}  // namespace gf::test
