// Whole networks on a device, op by op: the same bits in a second run, and the CPU's numbers. What a single op's case
// cannot show: memory that others have used, work still under way, scratch memory that several kernels share.
#include <doctest/doctest.h>

#include <cmath>

#include "engine/autograd.h"
#include "engine/op_trace.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "models/discriminator.h"
#include "models/network.h"
#include "tests/harness/op_case.h"

namespace gf::test {
namespace {

constexpr std::int64_t kSide = 64;

struct Seen {
  std::string what;
  std::vector<float> values;
};

// Every op's result, then every parameter's gradient.
template <class Net, class Forward>
std::vector<Seen> forward_and_backward(Net& net, const Forward& forward) {
  std::vector<Seen> all;
  Tensor loss;
  {
    const OpTrace trace;
    loss = forward();
    int n = 0;
    for (const OpTrace::Call& call : trace.calls())
      if (call.output.dtype() == DType::f32)
        all.push_back(
            {"op " + std::to_string(n++) + ", " + call.op + " " + call.output.shape().str(), call.output.to_vector()});
  }
  backward(loss);
  for (const NamedTensor& p : net.parameters())
    if (const Tensor g = p.tensor.grad()) all.push_back({"gradient of " + p.name, g.to_vector()});
  return all;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / (norm + 1e-12));
}

// The first that differs, or nothing.
std::string first_difference(const std::vector<Seen>& a, const std::vector<Seen>& b, double allowed) {
  if (a.size() != b.size()) return std::to_string(a.size()) + " and " + std::to_string(b.size()) + " results";
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = a[i].values == b[i].values ? 0 : distance(a[i].values, b[i].values);
    if (!(a[i].values == b[i].values) && !(d <= allowed && allowed > 0))
      return a[i].what + ": relative distance " + std::to_string(d);
  }
  return {};
}

struct Inputs {
  Tensor image, label;
};

Inputs inputs(const Device& device, std::int64_t channels) {
  Generator g(2);
  Array image({2, kSide, kSide, channels}), ids({2, kSide, kSide, 1});
  normal()(image, g);
  class_ids(2)(ids, g);
  return {to_tensor(image, Layout::dense).to(cpu_device()).to(device),
          to_tensor(ids, Layout::dense, DType::i32).to(cpu_device()).to(device)};
}

std::vector<Seen> of_network(const std::string& name, double width, const Device& device) {
  const auto net =
      make_network(name, {.in_channels = 1, .classes = 2, .width = width, .dropout = 0, .image_size = {kSide, kSide}});
  net->initialise(1);
  net->to(device);
  net->train();
  const Inputs in = inputs(device, 1);
  Random random(4);
  return forward_and_backward(*net, [&] { return cross_entropy(net->forward(in.image, random).logits, in.label); });
}

std::vector<Seen> of_discriminator(const Device& device) {
  Discriminator net({.channels = 2, .width = 0.1});
  net.initialise(1);
  net.to(device);
  const Inputs in = inputs(device, 2);
  return forward_and_backward(net, [&] { return sum(net(in.image)); });
}

}  // namespace

TEST_CASE("whole networks on a device: the same bits twice, op by op, and near the CPU's") {
  const Device device = graph_device();
  for (const auto& [name, width] : {std::pair("mobile_unet", 0.1), std::pair("fanet", 0.05), std::pair("enet", 0.25),
                                    std::pair("erfnet", 0.25), std::pair("unet", 0.1), std::pair("mobile_unet", 0.5)}) {
    CAPTURE(name);
    CAPTURE(width);
    const auto once = of_network(name, width, device), twice = of_network(name, width, device);
    CHECK(first_difference(once, twice, 0) == "");
    // Only the ops: gradients of fresh networks jump where rounding moves a value across a kink.
    auto near = once, cpu = of_network(name, width, cpu_device());
    const auto gradient = [](const Seen& s) { return s.what.starts_with("gradient"); };
    std::erase_if(near, gradient);
    std::erase_if(cpu, gradient);
    CHECK(first_difference(near, cpu, 1e-3) == "");
  }
}

TEST_CASE("the discriminator on a device: the same bits twice, op by op, and near the CPU's") {
  const Device device = graph_device();
  const auto once = of_discriminator(device);
  CHECK(first_difference(once, of_discriminator(device), 0) == "");
  CHECK(first_difference(once, of_discriminator(cpu_device()), 1e-3) == "");
}

}  // namespace gf::test
