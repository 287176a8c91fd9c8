// graphflow bench step: one training step on random data, as tests/bench/pytorch_step.py does it in PyTorch.
//
//   supervised   forward, half cross entropy and half Dice, backward, Adam
//   distill      the teacher (frozen, batch norms folded) and its paraphrasers' encoders forward; the student forward,
//                half cross entropy and half Dice, logits, vertex and edge terms, backward, Adam; with --adversarial
//                also the term of a discriminator, and the discriminator's step: WGAN-GP, backward, Adam
//   graph_flow   salience, vertex and edge loss of a student's two taps against constant factors, and the gradients of
//                the taps
//   predict      the forward pass of a trained network: evaluation mode, frozen, batch norms folded
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
  virtual void run() = 0;                    // queues one step
  virtual double loss() = 0;                 // of the last step
  virtual std::size_t launches() const = 0;  // in the captured step; 0: steps run launch by launch
};

std::unique_ptr<Network> network(const std::string& name, double width, const BenchStepFlags& flags,
                                 const Device& device) {
  auto net = make_network(name, {.in_channels = 1,
                                 .classes = flags.classes,
                                 .width = width,
                                 .dropout = 0,
                                 .image_size = {flags.size, flags.size}});
  if (flags.size % net->stride() != 0)
    throw Error(ErrorKind::usage, {"picture size does not fit the network", "--size",
                                   fmt::format("a multiple of {}", net->stride()), std::to_string(flags.size), ""});
  net->initialise(1);
  net->to(device);
  return net;
}

// Exactly what the trainer runs, batch on its way to the device included.
class TrainingStep : public Step {
 public:
  TrainingStep(const BenchStepFlags& flags, const Device& device)
      : net_(network(flags.network, flags.width, flags, device)), batch_(random_batch(flags, cpu_device())) {
    SupervisedOptions supervised{.ce = 0.5, .dice = 0.5};
    if (flags.amp == "bf16") supervised.activations = DType::bf16;
    if (flags.task == "distill")
      distill(flags, device, supervised);
    else
      task_ = std::make_unique<SupervisedTask>(*net_, supervised, nullptr, Words{});
    runner_ = std::make_unique<StepRunner>(
        *task_, OptimizerOptions{},
        StepOptions{.graph = parse_step_graph(flags.step_graph), .shadow_weights = flags.amp == "bf16"}, random_);
  }
  std::size_t launches() const override { return runner_->graph_size(); }
  void run() override {
    if (runner_->full()) loss_ = runner_->report().loss;
    runner_->run({batch_}, step_++, 1e-3, false);
  }
  double loss() override {
    while (!runner_->idle()) loss_ = runner_->report().loss;
    return loss_;
  }

 private:
  using Words = std::map<std::string, std::string>;

  void distill(const BenchStepFlags& flags, const Device& device, const SupervisedOptions& supervised) {
    teacher_ = network(flags.teacher, flags.teacher_width, flags, device);
    paraphrasers_ = std::make_unique<Paraphrasers>(
        std::vector<ParaphraserSizes>{{teacher_->tap_channels(), teacher_->tap_channels(), net_->tap_channels()}});
    paraphrasers_->initialise(1);
    DistillationOptions options;
    options.supervised = supervised;
    options.teacher_taps = {teacher_->default_taps()};
    options.student_taps = {net_->default_taps()};
    options.fold_bf16 = flags.fold_bf16;
    if (flags.adversarial) options.adversarial = {.steps = 1'000'000, .classes = flags.classes};
    task_ = std::make_unique<DistillationTask>(*net_, *teacher_, paraphrasers_.get(), options, nullptr, Words{});
  }

  std::unique_ptr<Network> net_, teacher_;
  std::unique_ptr<Paraphrasers> paraphrasers_;
  Batch batch_;
  std::unique_ptr<TrainingTask> task_;
  Random random_{1};
  std::unique_ptr<StepRunner> runner_;
  std::int64_t step_ = 0;
  double loss_ = 0;
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
    loss_ = Tensor::zeros({}, device);
    const StepGraphMode mode = parse_step_graph(flags.step_graph);
    if (mode == StepGraphMode::off || (mode == StepGraphMode::automatic && on_host(device))) return;
    graph_.emplace(device);
    graph_->warm_up([&] { compute(); });
    graph_->capture([&] { compute(); });
  }
  std::size_t launches() const override { return graph_ ? graph_->size() : 0; }
  void run() override {
    if (graph_) return graph_->replay();
    compute();
  }
  double loss() override { return loss_.item(); }

 private:
  void compute() {
    const VariationGraphLoss graph = graph_flow_loss(student_, factors_, {});
    const Tensor loss = 1e-5f * graph.vertex + 1e-9f * graph.edge;
    gradients(loss, leaves_);
    loss_.assign(loss);
  }

  GraphFlowMaps student_, factors_;
  std::vector<Tensor> leaves_;
  Tensor loss_;
  std::optional<StepGraph> graph_;
};

class PredictStep : public Step {
 public:
  PredictStep(const BenchStepFlags& flags, const Device& device)
      : net_(network(flags.network, flags.width, flags, device)),
        image_(random_batch(flags, cpu_device()).image.to(device)) {
    net_->eval();
    net_->freeze();
  }
  std::size_t launches() const override { return 0; }
  void run() override {
    const NoGrad off;
    logits_ = net_->forward(image_, unused_).logits;
  }
  double loss() override { return mean(logits_).item(); }

 private:
  std::unique_ptr<Network> net_;
  Tensor image_, logits_;
  Random unused_{1};
};

std::unique_ptr<Step> make_step(const BenchStepFlags& flags, const Device& device) {
  if (flags.task == "graph_flow") return std::make_unique<GraphFlowStep>(flags, device);
  if (flags.task == "predict") return std::make_unique<PredictStep>(flags, device);
  return std::make_unique<TrainingStep>(flags, device);
}

}  // namespace

int bench_step_command(const BenchStepFlags& flags) {
  if (flags.amp == "bf16") require_bf16_device("--amp bf16", flags.device);
  if (flags.adversarial && flags.task != "distill")
    throw Error(ErrorKind::usage, {"--adversarial needs a teacher", "--task", "distill", flags.task, ""});
  const Device device = with_tf32(start_engine(flags.device, flags.threads), flags.tf32);
  const std::unique_ptr<Step> step = make_step(flags, device);
  for (int i = 0; i < 4; ++i) step->run();  // of which one captures
  const Timing t = time_runs(
      device, [&] { step->run(); }, flags.steps, 0);
  const double peak = static_cast<double>(memory_statistics(device).total.peak) / (1 << 20);
  const std::string teacher =
      flags.task == "distill" ? fmt::format("{} x{:g} -> ", flags.teacher, flags.teacher_width) : "";
  fmt::print("{}, {}{} x{:g}, batch {}, {}x{}, {}{}: {:.2f} ms a step (p10 {:.2f}, p90 {:.2f}), peak {:.0f} MiB\n",
             flags.adversarial ? flags.task + " with WGAN-GP" : flags.task, teacher, flags.network, flags.width,
             flags.batch, flags.size, flags.size, device_name(device),
             flags.amp == "bf16" ? ", bf16"
             : flags.tf32        ? ", TF32"
                                 : "",
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
                                  {"amp", flags.amp},
                                  {"tf32", flags.tf32},
                                  {"fold_bf16", flags.fold_bf16},
                                  {"step_graph", flags.step_graph},
                                  {"launches_in_graph", step->launches()},
                                  {"steps", flags.steps},
                                  {"median_ms", 1e3 * t.median},
                                  {"p10_ms", 1e3 * t.low},
                                  {"p90_ms", 1e3 * t.high},
                                  {"loss", step->loss()},
                                  {"peak_mib", peak}};
  if (flags.adversarial) document["adversarial"] = true;
  if (!teacher.empty()) document.update({{"teacher", flags.teacher}, {"teacher_width", flags.teacher_width}});
  write_file_atomically(flags.json, document.dump(1) + "\n");
  return 0;
}

}  // namespace gf
