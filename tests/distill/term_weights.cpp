// Weights of the distillation terms: the warm-up, and weights that a run chooses by its gradients, in captured steps
// and resumed runs too.
#include "distill/term_weights.h"

#include <doctest/doctest.h>

#include "data/loader.h"
#include "distill/distillation.h"
#include "distill/step_runner.h"
#include "distill/trainer.h"
#include "engine/autograd.h"
#include "engine/io/checkpoint.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "tests/distill/layer_pairs.h"
#include "tests/harness/discs.h"
#include "tests/harness/op_case.h"
#include "tests/harness/weights.h"

namespace gf::test {
namespace {

// a = |theta|^2 with theta of two elements: its gradient is 2 theta.
struct Quadratic {
  Tensor theta = Tensor::from(std::vector<float>{3, 4}, {1, 1, 1, 2});
  Quadratic() { theta.require_grad(); }
  Tensor loss(float factor) const { return factor * sum(square(theta)); }  // gradient's norm: 10 * factor
  std::vector<NamedTensor> parameters() const { return {{"theta", theta, FileLayout::vector}}; }
  Objective supervised() const {
    Objective o;
    o.add("ce", 1, loss(0.1f));
    o.add("dice", 0.5, loss(0.2f));  // together 2
    return o;
  }
};

}  // namespace

TEST_CASE("weights are chosen once, so that the gradients' norms have the wanted ratio to the supervised one's") {
  const Quadratic q;
  TermWeights w({{"kd", 3}, {"vertex", 1e-5}, {"off", 0}, {"none", 2}}, linear_ramp(10), {3, {{"vertex", 0.25}}},
                cpu_device());
  REQUIRE(w.parameters().empty());
  REQUIRE(w.buffers().size() == 1);
  CHECK(w.buffers()[0].name == "term_weights");
  const auto terms_at = [&](std::int64_t step) {
    w.begin_step(step);
    Objective o = q.supervised();
    // "none" has no gradient but for rounding.
    w.add_to(o, {{"kd", q.loss(4)}, {"vertex", q.loss(200)}, {"off", q.loss(1)}, {"none", q.loss(1e-12f)}},
             q.parameters());
    return o.report_with_shares(q.parameters());
  };
  CHECK(!w.chooses_at(1));
  CHECK(w.chooses_at(2));
  std::vector<TermReport> t = terms_at(1);
  REQUIRE(t.size() == 5);  // what is off is left out
  CHECK(t[2].name == "kd");
  CHECK(t[2].weight == 3);
  CHECK(t[2].norm == doctest::Approx(0.2 * 3 * 40));  // the ramp is 2 / 10
  CHECK(w.remark().empty());

  t = terms_at(2);
  CHECK(t[2].weight == doctest::Approx(2.0 / 40));
  CHECK(t[2].norm == doctest::Approx(0.3 * 2));
  CHECK(t[3].weight == doctest::Approx(0.25 * 2 / 2000));
  CHECK(t[3].norm == doctest::Approx(0.3 * 0.25 * 2));
  CHECK(t[4].weight == 2);
  const std::string text = w.remark();
  for (const char* part : {"step 3", "norm is 2)", "kd 3 -> 0.05", "vertex 1e-05 -> 0.00025", "none 2 -> unchanged"})
    CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  CHECK(w.remark().empty());

  t = terms_at(20);  // fixed from then on, the ramp is over
  CHECK(t[2].norm == doctest::Approx(2));
  CHECK(t[3].norm == doctest::Approx(0.5));
  const double value = t[2].norm;
  CHECK(t[2].share == doctest::Approx(value / (t[0].norm + t[1].norm + t[2].norm + t[3].norm + t[4].norm)));
}

namespace {

constexpr std::int64_t kSide = 32;

Batch batch_number(std::int64_t number) {
  Generator g(static_cast<std::uint64_t>(number) + 1);
  Array image({2, kSide, kSide, 1}), ids({2, kSide, kSide, 1});
  normal()(image, g);
  class_ids(2)(ids, g);
  Batch b;
  b.image = to_tensor(image, Layout::dense, DType::f32).to(cpu_device());
  b.label = to_tensor(ids, Layout::dense, DType::i32).to(cpu_device());
  return b;
}

struct Nets {
  std::unique_ptr<Network> teacher = make_network("fanet", {1, 2, 0.04, 0}),
                           student = make_network("mobile_unet", {1, 2, 0.1, 0});
  std::unique_ptr<DistillationTask> task;

  Nets(const Device& device, std::int64_t choose_at) {
    teacher->initialise(1);
    student->initialise(2);
    for (Module* m : {static_cast<Module*>(teacher.get()), static_cast<Module*>(student.get())}) m->to(device);
    DistillationOptions o;
    o.supervised = {.ce = 1, .dice = 0.5};
    o.vertex_weight = o.edge_weight = 0;
    o.kd_weight = 50;
    o.warmup_steps = 3;
    o.auto_weights = {choose_at, {{"kd", 0.5}}};
    task = std::make_unique<DistillationTask>(
        *student, *teacher, nullptr, o, [] { return Validation{}; }, std::map<std::string, std::string>{});
  }
};

struct Trace {
  std::vector<StepReport> reports;
  std::vector<float> state;
  std::vector<bool> captured;
};

Trace train(StepGraphMode graph, std::int64_t choose_at, std::int64_t first, std::int64_t end,
            const std::string& load = {}, const std::string& save = {}) {
  Nets nets(graph_device(), choose_at);
  Random random(7);
  StepRunner runner(*nets.task, {.name = "adamw", .lr = 1e-2}, {.accumulate = 2, .graph = graph}, random);
  CheckpointState state;
  if (!load.empty()) load_checkpoint(load, nets.task->trained(), &runner.optimizer(), state);
  Trace trace;
  for (std::int64_t step = first; step < end; ++step) {
    runner.run({batch_number(2 * step), batch_number(2 * step + 1)}, step, 1e-2, false);
    while (!runner.idle()) trace.reports.push_back(runner.report());
    trace.captured.push_back(runner.captured());
  }
  if (!save.empty()) save_checkpoint(save, nets.task->trained(), &runner.optimizer(), state);
  trace.state = weights_of(nets.task->trained());
  return trace;
}

double kd_weight(const StepReport& r) {
  for (const TermReport& t : r.terms)
    if (t.name == "kd") return t.weight;
  return -1;
}

}  // namespace

TEST_CASE("chosen weights and captured steps: chosen before the capture and after it, to the same bits") {
  for (const std::int64_t choose_at : {2, 5}) {
    CAPTURE(choose_at);
    const Trace plain = train(StepGraphMode::off, choose_at, 0, 7), graph = train(StepGraphMode::on, choose_at, 0, 7);
    CHECK(graph.captured.back());
    if (choose_at == 5) CHECK(graph.captured[3]);  // a graph is there when the weights change
    CHECK(same_bits(plain.state, graph.state));
    for (std::size_t i = 0; i < 7; ++i) {
      CHECK(plain.reports[i].loss == graph.reports[i].loss);
      CHECK(kd_weight(graph.reports[i]) == kd_weight(plain.reports[i]));
      CHECK((kd_weight(plain.reports[i]) == 50) == (static_cast<std::int64_t>(i) + 1 < choose_at));
    }
    CHECK(kd_weight(plain.reports[6]) == kd_weight(plain.reports[static_cast<std::size_t>(choose_at - 1)]));
  }
}

TEST_CASE("chosen weights are in the checkpoint: a run resumed behind the choice goes on to the same bits") {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/latest.gfm";
  const Trace whole = train(StepGraphMode::on, 2, 0, 6);
  train(StepGraphMode::on, 2, 0, 2, {}, file);  // saved by the step that chooses
  const Trace resumed = train(StepGraphMode::on, 2, 2, 6, file);
  CHECK(same_bits(whole.state, resumed.state));
  CHECK(kd_weight(resumed.reports[0]) == kd_weight(whole.reports[2]));
  CHECK_THROWS_WITH_AS(train(StepGraphMode::on, 0, 2, 6, file), doctest::Contains("term_weights"), Error);
}

TEST_CASE("the trainer notes the weights that a run has chosen") {
  const TemporaryFolder data, run;
  write_discs(data.path(), 12, 32);
  const Dataset discs = open_discs(data.path());
  Nets nets(cpu_device(), 2);
  LoaderOptions l;
  l.batch_size = 2;
  Loader loader(discs, Split::train, l);
  struct Notes : TrainingObserver {
    std::string text;
    void note(const std::string& line) override { text += line + "\n"; }
  } notes;
  TrainerOptions o;
  o.max_iterations = 3;
  o.checkpoints = run.path();
  run_training(*nets.task, loader, o, notes);
  CHECK_MESSAGE(notes.text.find("step 2: weights chosen") != std::string::npos, notes.text);
}

}  // namespace gf::test
