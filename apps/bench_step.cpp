// graphflow bench step: one training step (forward, half cross entropy and half Dice, backward, Adam) on random data,
// as tests/bench/pytorch_step.py does it in PyTorch.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/bench.h"
#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/session.h"
#include "engine/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/optim/optimizer.h"
#include "kernels/error.h"
#include "kernels/philox.h"
#include "models/network.h"

namespace gf {

int bench_step_command(const BenchStepFlags& flags) {
  const Device device = start_engine(flags.device, flags.threads);
  const auto net =
      make_network(flags.network, {.in_channels = 1, .classes = flags.classes, .width = flags.width, .dropout = 0});
  if (flags.size % net->stride() != 0)
    throw Error(ErrorKind::usage, {"picture size does not fit the network", "--size",
                                   fmt::format("a multiple of {}", net->stride()), std::to_string(flags.size), ""});
  net->initialise(1);
  net->to(device);
  FlatParameters parameters(*net);
  Optimizer optimizer(parameters, {});
  Random random(1);
  const Shape shape{flags.batch, flags.size, flags.size, 1};
  std::vector<float> pixels(static_cast<std::size_t>(shape.count()));
  std::vector<std::int32_t> classes(pixels.size());
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = 2 * uniform01(philox(1, 1, i).v[0]) - 1;
    classes[i] = static_cast<std::int32_t>(i / 97) % flags.classes;
  }
  const Tensor x = Tensor::from(std::span<const float>(pixels), shape, device);
  const Tensor label = Tensor::from(std::span<const std::int32_t>(classes), shape, device);
  float loss_value = 0;
  const auto step = [&] {
    parameters.zero_grad();
    const Tensor logits = net->forward(x, random).logits;
    const Tensor loss = 0.5f * cross_entropy(logits, label) + 0.5f * dice_loss(logits, label);
    backward(loss);
    optimizer.step(1e-3);
    loss_value = loss.item();
  };
  for (int i = 0; i < 2; ++i) step();
  const Timing t = time_runs(device, step, flags.steps, 0);
  const double peak = static_cast<double>(memory_statistics(device).total.peak) / (1 << 20);
  fmt::print("{} x{:g}, batch {}, {}x{}, {}: {:.2f} ms a step (p10 {:.2f}, p90 {:.2f}), peak {:.0f} MiB\n",
             flags.network, flags.width, flags.batch, flags.size, flags.size, device_name(device), 1e3 * t.median,
             1e3 * t.low, 1e3 * t.high, peak);
  if (flags.json.empty()) return 0;
  const nlohmann::ordered_json document{{"graphflow", kVersion},
                                        {"device", describe_device(device)},
                                        {"threads", threads()},
                                        {"network", flags.network},
                                        {"width", flags.width},
                                        {"batch", flags.batch},
                                        {"size", flags.size},
                                        {"steps", flags.steps},
                                        {"median_ms", 1e3 * t.median},
                                        {"p10_ms", 1e3 * t.low},
                                        {"p90_ms", 1e3 * t.high},
                                        {"loss", loss_value},
                                        {"peak_mib", peak}};
  write_file_atomically(flags.json, document.dump(1) + "\n");
  return 0;
}

}  // namespace gf
