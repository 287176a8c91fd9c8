// Optimisers and schedules against torch.optim (tests/golden/optim.safetensors).
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "tests/harness/golden.h"

namespace gf::test {
namespace {

struct One : Module {
  Tensor p = parameter("p", {1, 1, 1, 7}, FileLayout::vector);
};

struct GoldenCase {
  const char* name;
  OptimizerOptions options;
};

// The options are also in the file's metadata.
const GoldenCase kCases[] = {
    {"sgd", {.name = "sgd", .lr = 0.1, .momentum = 0}},
    {"sgd_momentum", {.name = "sgd", .lr = 0.05, .momentum = 0.9}},
    {"sgd_momentum_decay", {.name = "sgd", .lr = 0.05, .momentum = 0.9, .weight_decay = 0.02}},
    {"adam", {.name = "adam", .lr = 0.01}},
    {"adam_decay", {.name = "adam", .lr = 0.01, .weight_decay = 0.02}},
    {"adam_beta2_0.99", {.name = "adam", .lr = 0.01, .beta2 = 0.99}},
    {"adamw", {.name = "adamw", .lr = 0.01, .weight_decay = 0.1}},
};

}  // namespace

TEST_CASE("golden optimisers: ten steps at a constant and at a falling learning rate") {
  const SafetensorsFile f = golden_file("optim");
  const Tensor start = golden_tensor(f, "start"), given = golden_tensor(f, "gradients");
  for (const GoldenCase& c : kCases)
    for (const bool falling : {false, true}) {
      const std::string key = std::string(c.name) + (falling ? "_poly" : "") + "/parameters";
      CAPTURE(key);
      const Tensor expected = golden_tensor(f, key);
      One m;
      std::copy_n(start.data(), 7, m.p.mutable_data());
      FlatParameters flat(m);
      Optimizer optimizer(flat, c.options);
      const Schedule schedule{.name = falling ? "poly" : "constant"};
      for (std::int64_t step = 0; step < 10; ++step) {
        flat.zero_grad();
        backward(sum(m.p * given.view_channels(7 * step, 7)));
        optimizer.step(schedule.at(c.options.lr, step + 1, 11));
        CHECK(relative_error(m.p, expected.view_channels(7 * step, 7)) < 2e-6);
      }
    }
}

TEST_CASE("golden schedules") {
  const SafetensorsFile f = golden_file("optim");
  const std::vector<float> poly = f.floats("schedule/poly"), stepped = f.floats("schedule/stepped");
  const Schedule p{.name = "poly"};
  for (std::size_t s = 0; s < poly.size(); ++s)
    CHECK(p.at(1e-3, static_cast<std::int64_t>(s), 40) == doctest::Approx(static_cast<double>(poly[s])).epsilon(1e-6));
  const Schedule g{.name = "step", .milestones = {50, 100, 150}};
  for (std::size_t epoch = 0; epoch < stepped.size(); ++epoch)
    CHECK(g.at(3e-3, static_cast<std::int64_t>(epoch), 200) ==
          doctest::Approx(static_cast<double>(stepped[epoch])).epsilon(1e-6));
}

}  // namespace gf::test
