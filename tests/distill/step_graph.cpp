// Whole training steps as captured graphs, under the executor: the same bits as step by step, whatever changes between
// steps (learning rate, warm-up, dropout, clipping, micro-batches, a batch of another size, a resumed run).
#include <doctest/doctest.h>

#include "distill/distillation.h"
#include "distill/step_runner.h"
#include "engine/io/checkpoint.h"
#include "engine/op_scope.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "tests/distill/layer_pairs.h"
#include "tests/harness/op_case.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/weights.h"

namespace gf::test {
namespace {

constexpr int kClasses = 3;
constexpr std::int64_t kSide = 32;

Batch batch_number(std::int64_t number, std::int64_t pictures = 2) {
  Generator g(static_cast<std::uint64_t>(number) + 1);
  Array image({pictures, kSide, kSide, 1}), ids({pictures, kSide, kSide, 1});
  normal()(image, g);
  class_ids(kClasses)(ids, g);
  Batch b;
  const auto host = [](const Array& a, DType t) { return to_tensor(a, Layout::dense, t).to(cpu_device()); };
  b.image = host(image, DType::f32);
  b.label = host(ids, DType::i32);
  return b;
}

struct Nets {
  std::unique_ptr<Network> teacher, student;
  std::unique_ptr<Paraphrasers> paraphrasers;
  std::size_t layers;

  explicit Nets(const Device& device, std::size_t layers_ = 1, const std::string& arch = "fanet") : layers(layers_) {
    const auto narrow = [&](double width, float dropout) {
      return make_network(
          arch,
          {.in_channels = 1, .classes = kClasses, .width = width, .dropout = dropout, .image_size = {kSide, kSide}});
    };
    teacher = narrow(0.05, kPublishedDropout);
    student = narrow(0.04, 0.5f);
    teacher->initialise(1);
    student->initialise(2);
    paraphrasers = std::make_unique<Paraphrasers>(
        paraphraser_sizes(*teacher, *student, first_pairs(*teacher, layers), first_pairs(*student, layers)));
    paraphrasers->initialise(3);
    for (Module* m : {static_cast<Module*>(teacher.get()), static_cast<Module*>(student.get()),
                      static_cast<Module*>(paraphrasers.get())})
      m->to(device);
  }

  DistillationOptions options() const {
    DistillationOptions o;
    o.supervised = {.ce = 1, .dice = 0.5, .class_weights = Tensor::from(std::vector<float>{1, 2, 1}, {1, 1, 1, 3})};
    o.teacher_taps = first_pairs(*teacher, layers);
    o.student_taps = first_pairs(*student, layers);
    o.warmup_steps = 4;
    return o;
  }
};

std::vector<float> state_of(const Module& m, const Optimizer& optimizer) {
  std::vector<float> all = weights_of(m);
  for (const Optimizer::State& s : optimizer.state())
    for (const float v : s.buffer.to_vector()) all.push_back(v);
  return all;
}

struct Trace {
  std::vector<StepReport> reports;
  std::vector<float> state;
  bool captured = false;
};

// Steps [first, end) of one run; saved to and loaded from `file` where it is given.
Trace train(StepGraphMode graph, int accumulate, std::int64_t first, std::int64_t end, const std::string& load = {},
            const std::string& save = {}, std::int64_t odd_step = -1, DType activations = DType::f32,
            std::size_t layers = 1, const std::string& arch = "fanet") {
  const Device device = graph_device();
  Nets nets(device, layers, arch);
  DistillationOptions options = nets.options();
  options.supervised.activations = activations;
  DistillationTask task(*nets.student, *nets.teacher, nets.paraphrasers.get(), options, nullptr, {});
  Random random(7);
  StepRunner runner(
      task, {.name = "adamw", .lr = 1e-2, .weight_decay = 0.01},
      {.accumulate = accumulate, .clip_norm = 0.5, .graph = graph, .shadow_weights = activations == DType::bf16},
      random);
  CheckpointState state;
  if (!load.empty()) {
    load_checkpoint(load, *nets.student, &runner.optimizer(), state);
    random = state.random;
  }
  Trace trace;
  for (std::int64_t step = first; step < end; ++step) {
    std::vector<Batch> batches;
    for (int i = 0; i < accumulate; ++i)
      batches.push_back(batch_number(step * accumulate + i, step == odd_step ? 1 : 2));
    runner.run(std::move(batches), step, 1e-2 / static_cast<double>(step + 1), step == 0);
    while (!runner.idle()) trace.reports.push_back(runner.report());
  }
  if (!save.empty()) {
    state.step = end;
    state.random = random;
    save_checkpoint(save, *nets.student, &runner.optimizer(), state);
  }
  trace.state = state_of(*nets.student, runner.optimizer());
  trace.captured = runner.captured();
  return trace;
}

// A whole run with another method: its own parameters, its random mask, its class masks.
Trace train_method(const std::string& name, StepGraphMode graph) {
  Nets nets(graph_device());
  DistillationOptions options = nets.options();
  options.vertex_weight = options.edge_weight = options.kd_weight = 0;
  const std::int64_t t = nets.teacher->tap_channels(), s = nets.student->tap_channels();
  const TapPair &tt = options.teacher_taps.front(), &st = options.student_taps.front();
  options.method =
      make_method(find_method(name), {{tt.shallow, t}, {tt.deep, t}, {st.shallow, s}, {st.deep, s}, s, kClasses});
  options.method->initialise(5);
  DistillationTask task(*nets.student, *nets.teacher, nets.paraphrasers.get(), options, nullptr, {});
  Random random(7);
  StepRunner runner(task, {.name = "adamw", .lr = 1e-2}, {.clip_norm = 0.5, .graph = graph}, random);
  Trace trace;
  for (std::int64_t step = 0; step < 5; ++step) {
    runner.run({batch_number(step)}, step, 1e-2, step == 0);
    while (!runner.idle()) trace.reports.push_back(runner.report());
  }
  trace.state = state_of(task.trained(), runner.optimizer());
  trace.captured = runner.captured();
  return trace;
}

void same_run(const Trace& a, const Trace& b, std::size_t skipped = 0) {
  REQUIRE(a.reports.size() == b.reports.size() + skipped);
  for (std::size_t i = 0; i < b.reports.size(); ++i) {
    const StepReport &x = a.reports[i + skipped], &y = b.reports[i];
    INFO("step ", x.step);
    CHECK(x.step == y.step);
    CHECK(x.loss == y.loss);
    CHECK(x.gradient_norm == y.gradient_norm);
    REQUIRE(x.terms.size() == y.terms.size());
    for (std::size_t t = 0; t < x.terms.size(); ++t) CHECK(x.terms[t].value == y.terms[t].value);
  }
  CHECK(same_bits(a.state, b.state));
}

}  // namespace

TEST_CASE("captured training steps have the bits of steps run launch by launch") {
  const Trace plain = train(StepGraphMode::off, 1, 0, 6), graph = train(StepGraphMode::on, 1, 0, 6);
  CHECK_FALSE(plain.captured);
  CHECK(graph.captured);
  CHECK(plain.reports[0].has_shares);
  CHECK(plain.reports[0].gradient_norm > 0.5);  // so the clipping does something
  CHECK(plain.reports[5].loss != plain.reports[4].loss);
  same_run(plain, graph);
}

TEST_CASE("captured steps of several micro-batches, with one batch of another size among them") {
  const Trace plain = train(StepGraphMode::off, 2, 0, 6, {}, {}, 4),
              graph = train(StepGraphMode::on, 2, 0, 6, {}, {}, 4);
  CHECK(graph.captured);
  same_run(plain, graph);
}

TEST_CASE("captured steps in mixed precision have the bits of steps run launch by launch") {
  const Trace plain = train(StepGraphMode::off, 1, 0, 5, {}, {}, -1, DType::bf16),
              graph = train(StepGraphMode::on, 1, 0, 5, {}, {}, -1, DType::bf16);
  CHECK(graph.captured);
  same_run(plain, graph);
}

TEST_CASE("captured steps in mixed precision with three pairs of layers have the bits of steps run launch by launch") {
  const Trace plain = train(StepGraphMode::off, 1, 0, 4, {}, {}, -1, DType::bf16, 3),
              graph = train(StepGraphMode::on, 1, 0, 4, {}, {}, -1, DType::bf16, 3);
  CHECK(graph.captured);
  same_run(plain, graph);
}

TEST_CASE("captured steps of TransUNet, teacher and student, have the bits of steps run launch by launch") {
  const auto run = [](StepGraphMode mode) { return train(mode, 1, 0, 4, {}, {}, -1, DType::bf16, 1, "transunet"); };
  const Trace plain = run(StepGraphMode::off), graph = run(StepGraphMode::on);
  CHECK(graph.captured);
  CHECK(plain.reports[3].loss != plain.reports[2].loss);
  same_run(plain, graph);
}

TEST_CASE("a captured run that is resumed goes on to the same bits") {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/latest.gfm";
  const Trace whole = train(StepGraphMode::on, 1, 0, 8);
  train(StepGraphMode::on, 1, 0, 4, {}, file);
  same_run(whole, train(StepGraphMode::on, 1, 4, 8, file), 4);
}

namespace {

// Reads its loss on the host, as a careless method would.
class CarelessTask : public TrainingTask {
 public:
  explicit CarelessTask(Network& n) : network_(n) {}
  Module& model() override { return network_; }
  Objective objective(const Batch& batch, Random& random) override {
    const Tensor logits = network_.forward(batch.image, random).logits;
    const OpScope scope("careless_loss");
    Objective o;
    const Tensor loss = mean(square(logits));
    o.add("careless", loss.item() > 1e9f ? 0.5 : 1.0, loss);
    return o;
  }
  Validation validate() override { return {}; }
  std::map<std::string, std::string> description() const override { return {}; }

 private:
  Network& network_;
};

}  // namespace

TEST_CASE("a step that waits for the device is refused by the op's name") {
  Nets nets(graph_device());
  CarelessTask task(*nets.student);
  Random random(1);
  StepRunner runner(task, {}, {.graph = StepGraphMode::on}, random);
  const auto step = [&](std::int64_t i) {
    runner.run({batch_number(i)}, i, 1e-3, false);
    while (!runner.idle()) runner.report();
  };
  step(0);
  step(1);
  CHECK_THROWS_WITH_AS(step(2), doctest::Contains("op careless_loss"), Error);
}

TEST_CASE("labels out of range are counted on the device and reported with the step") {
  Nets nets(graph_device());
  SupervisedTask task(*nets.student, {.ce = 1, .dice = 1}, nullptr, {});
  Random random(1);
  StepRunner runner(task, {}, {.graph = StepGraphMode::on}, random);
  for (std::int64_t i = 0; i < 4; ++i) {
    Batch b = batch_number(i);
    if (i == 3) b.label.mutable_data<std::int32_t>()[5] = kClasses;
    runner.run({b}, i, 1e-3, false);
    if (i < 3) {
      runner.report();
      continue;
    }
    CHECK(runner.captured());
    CHECK_THROWS_WITH_AS(runner.report(), doctest::Contains("1 pixels outside"), Error);
  }
}

// Parameters of its own and a random mask; class masks and products; maxima. The others are made of the same ops.
TEST_CASE("steps of other methods as captured graphs: the same bits") {
  for (const char* name : {"mgd", "emkd", "cwd"}) {
    INFO(name);
    const Trace plain = train_method(name, StepGraphMode::off), graph = train_method(name, StepGraphMode::on);
    CHECK(graph.captured);
    CHECK(same_bits(plain.state, graph.state));
  }
}

}  // namespace gf::test
