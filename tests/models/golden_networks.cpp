// The networks against PyTorch (tests/golden/make_models.py): taps, logits, losses, every gradient, running
// statistics, ten Adam steps.
#include <doctest/doctest.h>

#include "engine/autograd.h"
#include "engine/io/weights.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/optim/optimizer.h"
#include "models/network.h"
#include "tests/harness/golden.h"

using namespace gf;
using namespace gf::test;

namespace {

struct Golden {
  const char *arch, *file;
  double width;
};

void compare(const Golden& g) {
  const SafetensorsFile expected = golden_file(std::string(g.file) + "_expected");
  const auto net = make_network(g.arch, {.in_channels = 1, .classes = 3, .width = g.width, .dropout = 0});
  const std::string weights = std::string(GF_SOURCE_DIR) + "/tests/golden/" + g.file + "_parameters.safetensors";
  load_weights(*net, weights, LoadMode::strict);
  const Tensor x = golden_tensor(expected, "input"), label = golden_labels(expected, "labels");
  Random random;

  const NetworkOutput out = net->forward(x, random);
  const TapPair taps = net->default_taps();
  CHECK(relative_error(out.tap(taps.shallow), golden_tensor(expected, "tap_shallow")) < 2e-5);
  CHECK(relative_error(out.tap(taps.deep), golden_tensor(expected, "tap_deep")) < 2e-5);
  CHECK(relative_error(out.logits, golden_tensor(expected, "logits")) < 2e-5);
  const Tensor ce = cross_entropy(out.logits, label), dice = dice_loss(out.logits, label);
  CHECK(ce.item() == doctest::Approx(expected.floats("cross_entropy")[0]).epsilon(1e-5));
  CHECK(dice.item() == doctest::Approx(expected.floats("dice")[0]).epsilon(1e-5));
  backward(0.5f * ce + 0.5f * dice);

  double largest = 0;
  for (const NamedTensor& p : net->parameters())
    largest = std::max(largest, max_abs(golden_parameter(expected, "grad/" + p.name, p)));
  for (const NamedTensor& p : net->parameters()) {
    const Tensor reference = golden_parameter(expected, "grad/" + p.name, p);
    INFO(p.name);
    REQUIRE(p.tensor.grad());
    CHECK(max_difference(p.tensor.grad(), reference) <= 5e-3 * max_abs(reference) + 1e-6 * largest);
  }
  for (const NamedTensor& b : net->buffers()) {
    INFO(b.name);
    CHECK(relative_error(b.tensor, golden_parameter(expected, "running/" + b.name, b)) < 2e-4);
  }
  net->eval();
  CHECK(relative_error(net->forward(x, random).logits, golden_tensor(expected, "eval_logits")) < 1e-5);

  load_weights(*net, weights, LoadMode::strict);
  net->train();
  FlatParameters flat(*net);
  Optimizer adam(flat, {.name = "adam", .lr = 1e-3});
  for (const float reference : expected.floats("adam_losses")) {
    flat.zero_grad();
    const Tensor logits = net->forward(x, random).logits;
    const Tensor loss = 0.5f * cross_entropy(logits, label) + 0.5f * dice_loss(logits, label);
    CHECK(loss.item() == doctest::Approx(reference).epsilon(1e-4));
    backward(loss);
    adam.step(1e-3);
  }
}

}  // namespace

TEST_CASE("FANet computes what PyTorch computes") { compare({"fanet", "fanet", 0.05}); }
TEST_CASE("Mobile U-Net computes what PyTorch computes") { compare({"mobile_unet", "mobile_unet", 0.11}); }
TEST_CASE("ENet computes what PyTorch computes") { compare({"enet", "enet", 0.2}); }
TEST_CASE("ERFNet computes what PyTorch computes") { compare({"erfnet", "erfnet", 0.12}); }
TEST_CASE("U-Net computes what PyTorch computes") { compare({"unet", "unet", 0.035}); }
