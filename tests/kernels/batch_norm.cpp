#include "kernels/batch_norm.h"

#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;
using Act = NormActivation;

const Cpu cpu{workspace};
constexpr Act kActs[] = {Act::none, Act::relu, Act::relu6, Act::leaky_relu};

BatchNormShape with(Act act) {
  BatchNormShape s;
  s.act = act;
  s.slope = 0.1f;
  return s;
}

double activate(Act act, double slope, double v) {
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

Statistics statistics(const Values& x, std::int64_t c) {
  Statistics s{Values(at(c)), Values(at(c))};
  const double n = static_cast<double>(x.size()) / static_cast<double>(c);
  for (std::size_t i = 0; i < x.size(); ++i) s.mean[i % at(c)] += x[i] / n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double d = x[i] - s.mean[i % at(c)];
    s.var[i % at(c)] += d * d / n;
  }
  return s;
}

Values normalised(const BatchNormShape& p, const Values& x, const Statistics& s, const Values& gamma,
                  const Values& beta, const Values& residual) {
  Values y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i % gamma.size();
    const double v = gamma[c] * (x[i] - s.mean[c]) / std::sqrt(s.var[c] + static_cast<double>(p.eps)) + beta[c];
    y.push_back(activate(p.act, static_cast<double>(p.slope), residual.empty() ? v : v + residual[i]));
  }
  return y;
}

// One call's tensors.
struct Case {
  Shape shape;
  BatchNormShape p;
  bool adds;
  Buffer<> x, residual, gamma, beta, running_mean, running_var, mean, inv_std, y, dy, dx, dgamma, dbeta, d_residual;

  Case(Shape s, std::int64_t extra, Act act, bool adds_, double low = -3, double high = 3)
      : shape(s),
        p(with(act)),
        adds(adds_),
        x(Buffer<>::random(s, extra, 1, low, high)),
        residual(Buffer<>::random(s, 2 * extra, 2, -2, 2)),
        gamma(Buffer<>::random(vector(), 0, 3, 0.5, 3)),
        beta(Buffer<>::random(vector(), 0, 4)),
        running_mean(Buffer<>::random(vector(), 0, 5)),
        running_var(Buffer<>::random(vector(), 0, 6, 0.5, 2)),
        mean(vector()),
        inv_std(vector()),
        y(s, extra),
        dy(Buffer<>::random(s, extra, 7)),
        dx(s, 2 * extra),
        dgamma(vector()),
        dbeta(vector()),
        d_residual(s, extra) {}

  Shape vector() const { return {1, 1, 1, shape.c}; }
  ConstView added() const { return adds ? residual.view() : ConstView{}; }
  Values added_values() const { return adds ? residual.values() : Values{}; }
  void train() {
    batch_norm_train(cpu, p, x.view(), gamma.view(), beta.view(), added(), running_mean.view(), running_var.view(),
                     mean.view(), inv_std.view(), y.view());
  }
  void eval() {
    batch_norm_eval(cpu, p, x.view(), gamma.view(), beta.view(), added(), running_mean.view(), running_var.view(),
                    y.view());
  }
  void backward(bool training) {
    batch_norm_backward(cpu, p, training, x.view(), y.view(), dy.view(), gamma.view(), mean.view(), inv_std.view(),
                        dx.view(), dgamma.view(), dbeta.view(), adds ? d_residual.view() : View{});
  }
  void check_sentinels() const {
    for (const Buffer<>* b : {&x, &residual, &gamma, &beta, &running_mean, &running_var, &mean, &inv_std, &y, &dy, &dx,
                              &dgamma, &dbeta, &d_residual})
      CHECK(b->sentinels_intact());
  }
};

template <class Body>
void for_cases(const Body& body) {
  const Shape shapes[] = {{2, 3, 5, 1},   {2, 3, 5, 3},  {2, 5, 3, 31},   {3, 2, 3, 32},   {2, 2, 2, 33},
                          {1, 3, 1, 257}, {4, 1, 1, 64}, {2, 37, 41, 16}, {1, 40, 31, 70}, {2, 33, 32, 31}};
  for (const Shape& shape : shapes)
    for (const std::int64_t extra : {0, 3})
      for (const Act act : kActs)
        for (const bool adds : {false, true}) {
          INFO(shape.str(), " extra ", extra, " act ", static_cast<int>(act), " residual ", adds);
          Case c(shape, extra, act, adds);
          body(c);
          c.check_sentinels();
        }
}

// Gradients by the textbook formula in double.
struct Gradients {
  Values dx, dgamma, dbeta, g;
};

Gradients reference_backward(Case& c, bool training) {
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

void check_backward(Case& c, bool training) {
  const Gradients want = reference_backward(c, training);
  c.backward(training);
  CHECK(relative_error(c.dx.values(), want.dx) < 2e-6);
  CHECK(relative_error(c.dgamma.values(), want.dgamma) < 2e-6);
  CHECK(relative_error(c.dbeta.values(), want.dbeta) < 2e-6);
  if (c.adds) CHECK(relative_error(c.d_residual.values(), want.g) < 1e-6);
}

TEST_CASE("batch_norm_train: output, saved and running statistics") {
  for_cases([](Case& c) {
    const Values x = c.x.values(), old_mean = c.running_mean.values(), old_var = c.running_var.values();
    const Statistics s = statistics(x, c.shape.c);
    c.train();
    CHECK(relative_error(c.y.values(), normalised(c.p, x, s, c.gamma.values(), c.beta.values(), c.added_values())) <
          1e-6);
    Values inv_std, new_mean, new_var;
    const double n = static_cast<double>(c.shape.pixels()), m = static_cast<double>(c.p.momentum);
    for (std::size_t i = 0; i < s.mean.size(); ++i) {
      inv_std.push_back(1 / std::sqrt(s.var[i] + static_cast<double>(c.p.eps)));
      new_mean.push_back((1 - m) * old_mean[i] + m * s.mean[i]);
      new_var.push_back((1 - m) * old_var[i] + m * s.var[i] * n / (n - 1));
    }
    CHECK(relative_error(c.mean.values(), s.mean) < 1e-6);
    CHECK(relative_error(c.inv_std.values(), inv_std) < 1e-6);
    CHECK(relative_error(c.running_mean.values(), new_mean) < 1e-6);
    CHECK(relative_error(c.running_var.values(), new_var) < 1e-6);
  });
}

TEST_CASE("batch_norm_eval: running statistics") {
  for_cases([](Case& c) {
    const Statistics s{c.running_mean.values(), c.running_var.values()};
    c.eval();
    CHECK(relative_error(c.y.values(),
                         normalised(c.p, c.x.values(), s, c.gamma.values(), c.beta.values(), c.added_values())) < 1e-6);
  });
}

TEST_CASE("batch_norm_backward: closed form in double") {
  for_cases([](Case& c) {
    c.train();
    check_backward(c, true);
  });
  for_cases([](Case& c) {  // statistics as constants
    c.train();
    check_backward(c, false);
  });
}

TEST_CASE("batch_norm_backward: central differences of the forward in double") {
  for (const bool training : {true, false})
    for (const Act act : kActs)
      for (const bool adds : {false, true}) {
        INFO("training ", training, " act ", static_cast<int>(act), " residual ", adds);
        Case c({2, 3, 2, 3}, 1, act, adds);
        c.train();
        c.backward(training);
        const Values x = c.x.values(), gamma = c.gamma.values(), beta = c.beta.values(), residual = c.added_values();
        const Values dy = c.dy.values();
        const Statistics fixed = statistics(x, c.shape.c);
        const auto loss = [&](const Values& xs, const Values& g, const Values& b, const Values& r) {
          return dot(dy, normalised(c.p, xs, training ? statistics(xs, c.shape.c) : fixed, g, b, r));
        };
        CHECK(relative_error(c.dx.values(),
                             central_difference([&](const Values& v) { return loss(v, gamma, beta, residual); }, x)) <
              1e-5);
        CHECK(relative_error(c.dgamma.values(),
                             central_difference([&](const Values& v) { return loss(x, v, beta, residual); }, gamma)) <
              1e-5);
        CHECK(relative_error(c.dbeta.values(),
                             central_difference([&](const Values& v) { return loss(x, gamma, v, residual); }, beta)) <
              1e-5);
        if (adds)
          CHECK(relative_error(c.d_residual.values(),
                               central_difference([&](const Values& v) { return loss(x, gamma, beta, v); }, residual)) <
                1e-5);
      }
}

TEST_CASE("batch_norm_train: statistics hold for large means and for a first pixel far from the rest") {
  for (const double mean : {1e2, 1e4, -1e5}) {
    INFO("mean ", mean);
    Case c({4, 64, 64, 16}, 0, Act::none, false, mean - 1, mean + 1);
    const Statistics s = statistics(c.x.values(), 16);
    c.train();
    Values want;
    for (const double v : s.var) want.push_back(1 / std::sqrt(v + static_cast<double>(c.p.eps)));
    CHECK(relative_error(c.mean.values(), s.mean) < 1e-7);
    CHECK(relative_error(c.inv_std.values(), want) < 1e-6);
    CHECK(relative_error(c.y.values(), normalised(c.p, c.x.values(), s, c.gamma.values(), c.beta.values(), {})) < 1e-6);
  }
  // A map that holds one value but for a rare other: the worst case of a badly chosen shift.
  Case c({1, 128, 128, 5}, 0, Act::none, false, 0.7, 0.7);
  for (std::int64_t p = 0; p < c.shape.pixels(); p += 997)
    for (std::int64_t k = 0; k < 5; ++k) c.x.at(p, k) = 100.0f * static_cast<float>(k + 1);
  const Statistics s = statistics(c.x.values(), 5);
  c.train();
  Values want;
  for (const double v : s.var) want.push_back(1 / std::sqrt(v + static_cast<double>(c.p.eps)));
  CHECK(relative_error(c.inv_std.values(), want) < 1e-6);
}

TEST_CASE("batch_norm: a constant channel and a single pixel have variance 0") {
  for (const Shape& shape : {Shape{2, 30, 30, 4}, Shape{1, 1, 1, 4}}) {
    Case c(shape, 0, Act::none, false, 0.1, 0.1);
    const Values old_var = c.running_var.values();
    c.train();
    Values y, var;
    for (std::int64_t i = 0; i < shape.count(); ++i) y.push_back(c.beta.values()[at(i % 4)]);
    for (const double v : old_var) var.push_back(0.9 * v);
    CHECK(relative_error(c.y.values(), y) < 1e-6);
    CHECK(relative_error(c.running_var.values(), var) < 1e-6);
    c.backward(true);
    for (const double v : c.dx.values()) CHECK(std::isfinite(v));
  }
}

TEST_CASE("batch_norm: outputs may alias inputs") {
  for (const std::int64_t extra : {0, 3}) {
    Case apart({2, 9, 11, 24}, extra, Act::relu, true), together({2, 9, 11, 24}, extra, Act::relu, true);
    apart.train();
    batch_norm_train(cpu, together.p, together.x.view(), together.gamma.view(), together.beta.view(),
                     together.residual.view(), together.running_mean.view(), together.running_var.view(),
                     together.mean.view(), together.inv_std.view(), together.residual.view());
    CHECK(same_bits(together.residual.values(), apart.y.values()));

    apart.backward(true);
    Case over_dy({2, 9, 11, 24}, extra, Act::relu, true), keeps_dy({2, 9, 11, 24}, extra, Act::relu, true);
    over_dy.train();
    batch_norm_backward(cpu, over_dy.p, true, over_dy.x.view(), over_dy.y.view(), over_dy.dy.view(),
                        over_dy.gamma.view(), over_dy.mean.view(), over_dy.inv_std.view(), over_dy.dy.view(),
                        over_dy.dgamma.view(), over_dy.dbeta.view(), over_dy.d_residual.view());
    CHECK(same_bits(over_dy.dy.values(), apart.dx.values()));
    CHECK(same_bits(over_dy.d_residual.values(), apart.d_residual.values()));
    keeps_dy.train();
    batch_norm_backward(cpu, keeps_dy.p, true, keeps_dy.x.view(), keeps_dy.y.view(), keeps_dy.dy.view(),
                        keeps_dy.gamma.view(), keeps_dy.mean.view(), keeps_dy.inv_std.view(), keeps_dy.dx.view(),
                        keeps_dy.dgamma.view(), keeps_dy.dbeta.view(), keeps_dy.dy.view());
    CHECK(same_bits(keeps_dy.dx.values(), apart.dx.values()));
    CHECK(same_bits(keeps_dy.dy.values(), apart.d_residual.values()));
  }
}

TEST_CASE("batch_norm: the same bits on any number of threads") {
  same_on_any_threads([] {
    Case c({3, 61, 53, 48}, 0, Act::relu, true);
    c.train();
    c.backward(true);
    Values all;
    for (const Buffer<>* b : {&c.y, &c.mean, &c.inv_std, &c.running_var, &c.dx, &c.dgamma, &c.dbeta, &c.d_residual})
      append(all, b->values());
    return all;
  });
}

TEST_CASE("batch_norm: NaN is not hidden by the activation") {
  for (const Act act : kActs) {
    Case c({1, 4, 4, 8}, 0, act, false);
    c.x.at(5, 2) = std::numeric_limits<float>::quiet_NaN();
    c.train();
    for (std::int64_t p = 0; p < 16; ++p) {
      CHECK(std::isnan(c.y.at(p, 2)));
      CHECK(!std::isnan(c.y.at(p, 3)));
    }
    CHECK(std::isnan(c.running_var.values()[2]));
  }
}

TEST_CASE("batch_norm: errors name kernel, tensor and shapes") {
  Case c({1, 2, 2, 4}, 0, Act::none, false);
  Buffer<> wide({1, 1, 1, 5});
  CHECK(message_of([&] {
          batch_norm_eval(cpu, c.p, c.x.view(), wide.view(), c.beta.view(), {}, c.running_mean.view(),
                          c.running_var.view(), c.y.view());
        }) == "batch_norm_eval: wrong shape: gamma f32 [1,1,1,5]: expected [1,1,1,4], found [1,1,1,5]");
  Buffer<> other({1, 2, 3, 4});
  CHECK(message_of([&] {
          batch_norm_eval(cpu, c.p, c.x.view(), c.gamma.view(), c.beta.view(), {}, c.running_mean.view(),
                          c.running_var.view(), other.view());
        }) == "batch_norm_eval: shapes differ: x f32 [1,2,2,4] and y f32 [1,2,3,4]: expected the same shape");
  Buffer<std::int32_t> ints({1, 2, 2, 4});
  CHECK(message_of([&] {
          batch_norm_eval(cpu, c.p, ints.view(), c.gamma.view(), c.beta.view(), {}, c.running_mean.view(),
                          c.running_var.view(), c.y.view());
        }) == "batch_norm_eval: wrong dtype: x i32 [1,2,2,4]: expected f32, found i32");
}

}  // namespace
}  // namespace gf
