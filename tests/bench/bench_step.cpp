// Times one training step (forward, half cross entropy and half Dice, backward, Adam) of a network on random data, as
// tests/bench/pytorch_step.py does in PyTorch. One JSON object on stdout.
//   bench_step fanet 0.25 30      network, width, steps
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "engine/autograd.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/optim/optimizer.h"
#include "kernels/random.h"
#include "models/network.h"

int main(int argc, char** argv) {
  using namespace gf;
  using Clock = std::chrono::steady_clock;
  const char* name = argc > 1 ? argv[1] : "fanet";
  const double width = argc > 2 ? std::atof(argv[2]) : 0.25;
  const int steps = argc > 3 ? std::atoi(argv[3]) : 20;
  const auto net = make_network(name, {.in_channels = 1, .classes = 9, .width = width, .dropout = 0});
  net->initialise(1);
  FlatParameters parameters(*net);
  Optimizer optimizer(parameters, {});
  Random random(1);
  const Tensor x = Tensor::empty({4, 128, 128, 1});
  random_normal(std::get<Cpu>(x.device()), 1, 1, 0, 1, x.mutable_view());
  std::vector<std::int32_t> labels(4 * 128 * 128);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i / 97 % 9);
  const Tensor label = Tensor::from(std::span<const std::int32_t>(labels), {4, 128, 128, 1});
  std::vector<double> seconds;
  float loss_value = 0;
  for (int i = 0; i < steps + 3; ++i) {
    const auto start = Clock::now();
    parameters.zero_grad();
    const Tensor loss = [&] {
      const Tensor logits = net->forward(x, random).logits;
      return 0.5f * cross_entropy(logits, label) + 0.5f * dice_loss(logits, label);
    }();
    backward(loss);
    optimizer.step(1e-3);
    loss_value = loss.item();
    if (i >= 3) seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf(
      "{\"network\": \"%s\", \"width\": %g, \"median_ms\": %.2f, \"min_ms\": %.2f, \"loss\": %.5f, \"peak_mib\": "
      "%zu}\n",
      name, width, 1e3 * seconds[seconds.size() / 2], 1e3 * seconds[0], loss_value,
      memory_statistics().total.peak >> 20);
}
