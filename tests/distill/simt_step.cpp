// A whole distillation step by the hand-written CUDA kernels, run by the executor, against the CPU bodies: the losses,
// every gradient, the running statistics, and the parameters after the optimiser.
#include <doctest/doctest.h>

#include "tests/distill/one_step.h"

namespace gf::test {
namespace {

// A picture changed by a millionth moves some activations across the kinks of ReLU and ReLU6, and with them gradients
// by up to a hundredth, on the CPU alone. So that is measured, and simt must agree as well as the CPU does with itself.
// A GPU adds in another order in every convolution, and fuses: more than a last place of the picture.
std::vector<double> conditioning(const Outcome& here, const DistillationOptions& options, std::size_t layers,
                                 bool gpu) {
  std::vector<double> moved(here.gradients.size(), 0.0);
  for (const double change : {-2e-6, -1e-6, 1e-6, 2e-6}) {
    const Outcome there = one_step(cpu_device(), options, random_start(1 + (gpu ? 5 : 1) * change), layers);
    for (std::size_t i = 0; i < moved.size(); ++i)
      moved[i] = std::max(moved[i], max_difference(there.gradients[i].tensor, here.gradients[i].tensor));
  }
  return moved;
}

// Relative. The edge term is of the fourth degree in the activations.
constexpr double kLoss = 1e-4, kGradient = 1e-4;

void compare(const DistillationOptions& options, std::size_t layers = 1) {
  const Start start = random_start();
  const Outcome cpu = one_step(cpu_device(), options, start, layers);
  REQUIRE(cpu.reconstruction.size() == 2 * layers);
  REQUIRE(cpu.terms.size() >= 5);
  REQUIRE(cpu.gradients.size() > 100);
  const bool gpu = !on_host(test_device());
  const double at_most = gpu ? 0.1 : 0.05;
  const std::vector<double> moved = conditioning(cpu, options, layers, gpu);
  double largest = 0;
  for (const NamedTensor& g : cpu.gradients) largest = std::max(largest, max_abs(g.tensor));
  std::vector<Device> devices{simt_device(0), simt_device(6)};
  if (!std::holds_alternative<Cpu>(test_device())) devices = {test_device()};  // a GPU's turn
  for (const Device& device : devices) {
    INFO("device ", device_name(device));
    const Outcome simt = one_step(device, options, start, layers);
    for (std::size_t i = 0; i < cpu.reconstruction.size(); ++i)
      CHECK(simt.reconstruction[i] == doctest::Approx(cpu.reconstruction[i]).epsilon(kLoss));
    REQUIRE(simt.terms.size() == cpu.terms.size());
    for (std::size_t i = 0; i < cpu.terms.size(); ++i) {
      CAPTURE(cpu.terms[i].name);
      CHECK(simt.terms[i].value == doctest::Approx(cpu.terms[i].value).epsilon(kLoss));
    }
    CHECK(simt.gradient_norm == doctest::Approx(cpu.gradient_norm).epsilon(at_most));
    REQUIRE(simt.gradients.size() == cpu.gradients.size());
    for (std::size_t i = 0; i < cpu.gradients.size(); ++i) {
      CAPTURE(cpu.gradients[i].name);
      // A bias in front of a batch norm has a gradient of zero but for rounding: hold it against the largest.
      const double scale = std::max(max_abs(cpu.gradients[i].tensor), 1e-5 * largest);
      const double difference = max_difference(simt.gradients[i].tensor, cpu.gradients[i].tensor);
      CHECK(difference < kGradient * scale + (gpu ? 10 : 3) * moved[i]);
      CHECK(difference < at_most * scale);
    }
    for (std::size_t i = 0; i < cpu.after.size(); ++i) {
      CAPTURE(cpu.after[i].name);
      // Adam's first step is the gradient's sign: where that is rounding alone it may be either.
      CHECK(max_difference(simt.after[i].tensor, cpu.after[i].tensor) < 2.1e-3);
    }
  }
}

}  // namespace

TEST_CASE("a distillation step on simt agrees with cpu in loss and every gradient") {
  DistillationOptions options;
  options.supervised = {.ce = 0.5, .dice = 0.5};
  compare(options);
}

TEST_CASE("a distillation step on simt with three pairs of layers") {
  DistillationOptions options;
  options.supervised = {.ce = 0.5, .dice = 0.5};
  compare(options, 3);
}

TEST_CASE("a distillation step on simt: windows, distances, class weights, ignored pixels, no wrong teacher") {
  DistillationOptions options;
  options.supervised = {.ce = 1, .dice = 0.3};
  options.supervised.class_weights = Tensor::from(std::vector<float>{0.5f, 1, 2}, {1, 1, 1, kClasses});
  options.supervised.ignore_index = 2;
  options.graph.salience.mode = SalienceMode::window;
  options.graph.graph.edges = EdgeMode::distance;
  options.graph.graph.reduction = GraphReduction::mean;
  options.vertex_weight = options.edge_weight = 0.1;
  options.kd_tau = 4;
  options.mask_wrong_teacher = true;
  compare(options);
}

}  // namespace gf::test
