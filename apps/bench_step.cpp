// graphflow bench step: one training step on random data, as tests/bench/pytorch_step.py does it in PyTorch.
//
//   supervised   forward, half cross entropy and half Dice, backward, Adam
//   distill      the teacher (frozen, batch norms folded) and its paraphrasers' encoders forward; the student forward,
//                half cross entropy and half Dice, logits, vertex and edge terms, backward, Adam
//   graph_flow   salience, vertex and edge loss of a student's two taps against constant factors, and the gradients of
//                the taps
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "apps/bench.h"
#include "apps/build_info.h"
#include "apps/commands.h"
#include "apps/session.h"
#include "distill/distillation.h"
#include "engine/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "engine/optim/optimizer.h"
#include "kernels/error.h"
#include "kernels/philox.h"
#include "models/network.h"

namespace gf {
namespace {

// Uniform in [-1, 1).
Tensor random_tensor(const Shape& shape, std::uint64_t stream, const Device& device) {
  std::vector<float> v(static_cast<std::size_t>(shape.count()));
  for (std::size_t i = 0; i < v.size(); ++i) v[i] = 2 * uniform01(philox(1, stream, i).v[0]) - 1;
  return Tensor::from(std::span<const float>(v), shape, device);
}

Batch random_batch(const BenchStepFlags& flags, const Device& device) {
  const Shape shape{flags.batch, flags.size, flags.size, 1};
  std::vector<std::int32_t> classes(static_cast<std::size_t>(shape.count()));
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<std::int32_t>(i / 97) % flags.classes;
  Batch batch;
  batch.image = random_tensor(shape, 1, device);
  batch.label = Tensor::from(std::span<const std::int32_t>(classes), shape, device);
  return batch;
}

class Step {
 public:
  virtual ~Step() = default;
  virtual Tensor run() = 0;  // one step; its loss
};

std::unique_ptr<Network> network(const std::string& name, double width, const BenchStepFlags& flags,
                                 const Device& device) {
  auto net = make_network(name, {.in_channels = 1, .classes = flags.classes, .width = width, .dropout = 0});
  if (flags.size % net->stride() != 0)
    throw Error(ErrorKind::usage, {"picture size does not fit the network", "--size",
                                   fmt::format("a multiple of {}", net->stride()), std::to_string(flags.size), ""});
  net->initialise(1);
  net->to(device);
  return net;
}

class TrainingStep : public Step {
 public:
  TrainingStep(const BenchStepFlags& flags, const Device& device)
      : net_(network(flags.network, flags.width, flags, device)), batch_(random_batch(flags, device)) {
    if (flags.task == "distill")
      distill(flags, device);
    else
      task_ = std::make_unique<SupervisedTask>(*net_, SupervisedOptions{.ce = 0.5, .dice = 0.5}, nullptr, Words{});
    net_->train();
    parameters_ = std::make_unique<FlatParameters>(*net_);
    optimizer_ = std::make_unique<Optimizer>(*parameters_, OptimizerOptions{});
  }
  Tensor run() override {
    parameters_->zero_grad();
    const Tensor loss = task_->objective(batch_, 0, random_).total();
    backward(loss);
    optimizer_->step(1e-3);
    return loss;
  }

 private:
  using Words = std::map<std::string, std::string>;

  void distill(const BenchStepFlags& flags, const Device& device) {
    teacher_ = network(flags.teacher, flags.teacher_width, flags, device);
    paraphrasers_ =
        std::make_unique<ParaphraserPair>(teacher_->tap_channels(), teacher_->tap_channels(), net_->tap_channels());
    paraphrasers_->initialise(1);
    DistillationOptions options;
    options.supervised = {.ce = 0.5, .dice = 0.5};
    options.teacher_taps = teacher_->default_taps();
    options.student_taps = net_->default_taps();
    task_ = std::make_unique<DistillationTask>(*net_, *teacher_, paraphrasers_.get(), options, nullptr, Words{});
  }

  std::unique_ptr<Network> net_, teacher_;
  std::unique_ptr<ParaphraserPair> paraphrasers_;
  Batch batch_;
  std::unique_ptr<TrainingTask> task_;
  std::unique_ptr<FlatParameters> parameters_;
  std::unique_ptr<Optimizer> optimizer_;
  Random random_{1};
};

// The taps' shapes are the network's; their values are random.
class GraphFlowStep : public Step {
 public:
  GraphFlowStep(const BenchStepFlags& flags, const Device& device) {
    const auto net = network(flags.network, flags.width, flags, device);
    net->eval();
    const NoGrad off;
    Random unused;
    const NetworkOutput out = net->forward(random_batch(flags, device).image, unused);
    const TapPair taps = net->default_taps();
    const Shape shallow = out.tap(taps.shallow).shape(), deep = out.tap(taps.deep).shape();
    student_ = {random_tensor(shallow, 2, device), random_tensor(deep, 3, device)};
    factors_ = {random_tensor(shallow, 4, device), random_tensor(deep, 5, device)};
    leaves_ = {student_.shallow.require_grad(), student_.deep.require_grad()};
  }
  Tensor run() override {
    const VariationGraphLoss graph = graph_flow_loss(student_, factors_, {});
    const Tensor loss = 1e-5f * graph.vertex + 1e-9f * graph.edge;
    gradients(loss, leaves_);
    return loss;
  }

 private:
  GraphFlowMaps student_, factors_;
  std::vector<Tensor> leaves_;
};

std::unique_ptr<Step> make_step(const BenchStepFlags& flags, const Device& device) {
  if (flags.task == "graph_flow") return std::make_unique<GraphFlowStep>(flags, device);
  return std::make_unique<TrainingStep>(flags, device);
}

}  // namespace

int bench_step_command(const BenchStepFlags& flags) {
  const Device device = start_engine(flags.device, flags.threads);
  const std::unique_ptr<Step> step = make_step(flags, device);
  Tensor loss;
  for (int i = 0; i < 2; ++i) loss = step->run();
  const Timing t = time_runs(
      device, [&] { loss = step->run(); }, flags.steps, 0);
  const double peak = static_cast<double>(memory_statistics(device).total.peak) / (1 << 20);
  const std::string teacher =
      flags.task == "distill" ? fmt::format("{} x{:g} -> ", flags.teacher, flags.teacher_width) : "";
  fmt::print("{}, {}{} x{:g}, batch {}, {}x{}, {}: {:.2f} ms a step (p10 {:.2f}, p90 {:.2f}), peak {:.0f} MiB\n",
             flags.task, teacher, flags.network, flags.width, flags.batch, flags.size, flags.size, device_name(device),
             1e3 * t.median, 1e3 * t.low, 1e3 * t.high, peak);
  if (flags.json.empty()) return 0;
  nlohmann::ordered_json document{{"graphflow", kVersion},
                                  {"device", describe_device(device)},
                                  {"threads", threads()},
                                  {"task", flags.task},
                                  {"network", flags.network},
                                  {"width", flags.width},
                                  {"batch", flags.batch},
                                  {"size", flags.size},
                                  {"classes", flags.classes},
                                  {"steps", flags.steps},
                                  {"median_ms", 1e3 * t.median},
                                  {"p10_ms", 1e3 * t.low},
                                  {"p90_ms", 1e3 * t.high},
                                  {"loss", loss.item()},
                                  {"peak_mib", peak}};
  if (!teacher.empty()) document.update({{"teacher", flags.teacher}, {"teacher_width", flags.teacher_width}});
  write_file_atomically(flags.json, document.dump(1) + "\n");
  return 0;
}

}  // namespace gf
