// Optimisers against the textbook formulas in double precision, written per element with no buffer shared; and
// schedules.
#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "kernels/error.h"
#include "tests/engine/error_text.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

constexpr std::int64_t kSizes[] = {33, 1, 300};

struct Vectors : Module {
  std::vector<Tensor> list;
  Vectors() {
    for (const std::int64_t n : kSizes)
      list.push_back(parameter("p" + std::to_string(list.size()), {1, 1, 1, n}, FileLayout::vector));
  }
};

// One number with its own moments.
struct Scalar {
  double value = 0, m = 0, v = 0;
  int updates = 0;

  void sgd(double g, double lr, const OptimizerOptions& o) {
    g += o.weight_decay * value;
    m = updates++ == 0 ? g : o.momentum * m + g;
    value -= lr * m;
  }
  void adam(double g, double lr, const OptimizerOptions& o, int step) {
    if (o.name == "adamw")
      value -= lr * o.weight_decay * value;
    else
      g += o.weight_decay * value;
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    const double m_hat = m / (1 - std::pow(o.beta1, step)), v_hat = v / (1 - std::pow(o.beta2, step));
    value -= lr * m_hat / (std::sqrt(v_hat) + o.eps);
  }
};

// The loss sum(p * g) has the gradient g.
void give_gradient(const Tensor& p, const Array& g) { backward(sum(p * to_tensor(g, Layout::dense))); }

void compare_with_scalars(const OptimizerOptions& options) {
  CAPTURE(options.name);
  CAPTURE(options.weight_decay);
  Vectors module;
  Generator random(11);
  std::vector<std::vector<Scalar>> expected;
  for (const Tensor& p : module.list) {
    Array start(p.shape());
    normal()(start, random);
    std::vector<Scalar> row(start.v.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      p.mutable_data()[i] = static_cast<float>(start.v[i]);
      row[i].value = static_cast<double>(p.data()[i]);
    }
    expected.push_back(row);
  }
  module.to(test_device());
  FlatParameters flat(module);
  Optimizer optimizer(flat, options);
  for (int step = 1; step <= 10; ++step) {
    const double lr = 0.02 / step;
    flat.zero_grad();
    for (std::size_t k = 0; k < module.list.size(); ++k) {
      Array g(module.list[k].shape());
      normal(std::pow(10.0, step % 3 - 1))(g, random);
      for (double& v : g.v) v = static_cast<double>(static_cast<float>(v));
      give_gradient(module.list[k], g);
      for (std::size_t i = 0; i < g.v.size(); ++i)
        options.name == "sgd" ? expected[k][i].sgd(g.v[i], lr, options)
                              : expected[k][i].adam(g.v[i], lr, options, step);
    }
    optimizer.step(lr);
    for (std::size_t k = 0; k < module.list.size(); ++k) {
      std::vector<double> e;
      for (const Scalar& s : expected[k]) e.push_back(s.value);
      CHECK(relative_error(to_array(module.list[k]).v, e) < 2e-6);
    }
  }
  CHECK(optimizer.steps() == 10);
  // The padding between parameters is still zero, in the parameters and in the moments.
  const auto padding_is_zero = [&](const Tensor& buffer) {
    const std::vector<float> v = buffer.to_vector();
    for (std::size_t i = 33; i < 64; ++i) CHECK(v[i] == 0);
    for (std::size_t i = 65; i < 128; ++i) CHECK(v[i] == 0);
  };
  padding_is_zero(flat.values());
  for (const Optimizer::State& s : optimizer.state()) padding_is_zero(s.buffer);
}

}  // namespace

TEST_CASE("optimisers follow their formulas over ten steps") {
  compare_with_scalars({.name = "sgd", .momentum = 0});
  compare_with_scalars({.name = "sgd", .momentum = 0.9});
  compare_with_scalars({.name = "sgd", .momentum = 0.9, .weight_decay = 0.02});
  compare_with_scalars({.name = "adam"});
  compare_with_scalars({.name = "adam", .weight_decay = 0.02});
  compare_with_scalars({.name = "adam", .beta1 = 0.5, .beta2 = 0.9, .eps = 1e-3});
  compare_with_scalars({.name = "adamw", .weight_decay = 0.1});
}

TEST_CASE("a parameter without a gradient is left alone by a step, and so are its moments") {
  for (const char* name : {"sgd", "adam", "adamw"}) {
    CAPTURE(name);
    Vectors m;
    for (const Tensor& p : m.list) std::fill_n(p.mutable_data(), p.count(), 1.0f);
    FlatParameters flat(m);
    Optimizer optimizer(flat, {.name = name, .weight_decay = 0.1});
    backward(sum(m.list[0]) + sum(m.list[1]) + sum(m.list[2]));
    optimizer.step(0.1);
    const std::vector<float> before = m.list[1].to_vector(), moment = optimizer.state()[0].buffer.to_vector();
    flat.zero_grad();
    backward(sum(m.list[0]) + sum(m.list[2]));
    optimizer.step(0.1);
    CHECK(m.list[1].to_vector() == before);
    CHECK(optimizer.state()[0].buffer.data()[64] == moment[64]);
    CHECK(m.list[0].data()[0] < before[0]);
    CHECK(m.list[2].data()[299] < before[0]);
  }
}

TEST_CASE("state for checkpoints: names, sizes, tag") {
  Vectors m;
  FlatParameters flat(m);
  const std::size_t before = memory_statistics().by_tag["optimiser"].now;
  Optimizer sgd(flat, {.name = "sgd"}), adam(flat, {.name = "adam"});
  CHECK(sgd.state().size() == 1);
  CHECK(sgd.state()[0].name == "momentum");
  CHECK(adam.state()[0].name == "exp_avg");
  CHECK(adam.state()[1].name == "exp_avg_sq");
  CHECK(adam.state()[1].buffer.count() == flat.size());
  CHECK(memory_statistics().by_tag["optimiser"].now - before >=
        3 * static_cast<std::size_t>(flat.size()) * sizeof(float));
  CHECK(error_text([&] { Optimizer(flat, {.name = "lion"}); }) ==
        "unknown optimiser: optim.name: expected sgd, adam, adamw, found lion");
}

TEST_CASE("a step count that was stored goes on where it stopped") {
  const auto run = [](bool interrupted) {
    Vectors m;
    FlatParameters flat(m);
    auto optimizer = std::make_unique<Optimizer>(flat, OptimizerOptions{});
    for (int step = 0; step < 6; ++step) {
      if (interrupted && step == 3) {
        auto next = std::make_unique<Optimizer>(flat, OptimizerOptions{});
        for (std::size_t i = 0; i < next->state().size(); ++i)
          std::copy_n(optimizer->state()[i].buffer.data(), flat.size(), next->state()[i].buffer.mutable_data());
        next->set_steps(optimizer->steps());
        optimizer = std::move(next);
      }
      flat.zero_grad();
      for (const Tensor& p : m.list) backward(sum(square(p + 1.0f)));
      optimizer->step(0.01);
    }
    return flat.values().to_vector();
  };
  CHECK(run(false) == run(true));
}

TEST_CASE("schedules") {
  const Schedule poly{.name = "poly", .power = 0.9};
  CHECK(poly.at(0.01, 0, 100) == 0.01);
  CHECK(poly.at(0.01, 50, 100) == doctest::Approx(0.01 * std::pow(0.5, 0.9)));
  CHECK(poly.at(0.01, 100, 100) == 0);
  CHECK(poly.at(0.01, 101, 100) == 0);
  CHECK(poly.at(0.01, 0, 0) == 0.01);
  const Schedule stepped{.name = "step", .milestones = {10, 20}, .gamma = 0.1};
  CHECK(stepped.at(1, 9, 100) == 1);
  CHECK(stepped.at(1, 10, 100) == doctest::Approx(0.1));
  CHECK(stepped.at(1, 25, 100) == doctest::Approx(0.01));
  CHECK(Schedule{.name = "constant"}.at(0.3, 7, 9) == 0.3);
  CHECK(error_text([] { Schedule{.name = "cosine"}.at(1, 0, 1); }) ==
        "unknown schedule: optim.schedule: expected constant, poly, step, found cosine");
}

}  // namespace gf::test
