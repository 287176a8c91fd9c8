// Mean Teacher: the average is the student's, step by step in double; the consistency and its gradient by their
// formula; what is noise, what is labelled, what is saved; captured steps and resumed runs to the same bits.
#include "distill/mean_teacher.h"

#include <doctest/doctest.h>

#include <cmath>

#include "data/paired_loader.h"
#include "data/split_file.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "distill/step_runner.h"
#include "distill/trainer.h"
#include "engine/autograd.h"
#include "engine/io/checkpoint.h"
#include "engine/ops/losses.h"
#include "engine/ops/shape.h"
#include "kernels/error.h"
#include "tests/harness/discs.h"
#include "tests/harness/golden.h"
#include "tests/harness/op_case.h"
#include "tests/harness/weights.h"

namespace gf::test {
namespace {

constexpr int kClasses = 3;
constexpr std::int64_t kSide = 32;

Batch batch_number(std::int64_t number, std::int64_t labelled = 2) {
  Generator g(static_cast<std::uint64_t>(number) + 1);
  Array image({2, kSide, kSide, 1}), ids({labelled, kSide, kSide, 1});
  normal()(image, g);
  class_ids(kClasses)(ids, g);
  Batch b;
  b.image = to_tensor(image, Layout::dense, DType::f32).to(cpu_device());
  b.label = to_tensor(ids, Layout::dense, DType::i32).to(cpu_device());
  return b;
}

struct Pair {
  std::unique_ptr<Network> student, average;
  std::unique_ptr<MeanTeacherTask> task;

  explicit Pair(const MeanTeacherOptions& options, const Device& device = cpu_device(), float dropout = 0,
                const std::string& arch = "enet") {
    for (auto* net : {&student, &average}) {
      *net = make_network(arch, {.in_channels = 1, .classes = kClasses, .width = 0.1, .dropout = dropout});
      (*net)->initialise(net == &student ? 1 : 2);
      (*net)->to(device);
    }
    task = std::make_unique<MeanTeacherTask>(
        *student, *average, options, [] { return Validation{}; }, std::map<std::string, std::string>{});
  }
  double consistency(const Batch& batch, std::uint64_t seed = 1) {
    Random random(seed);
    return task->objective(batch, random).report().back().value;
  }
};

MeanTeacherOptions quiet() {
  return {.supervised = {.ce = 1, .dice = 0.5}, .weight = 1, .rampup_steps = 0, .noise = 0};
}

}  // namespace

TEST_CASE("mean teacher: the ramps of decay and weight") {
  CHECK(average_decay(0.99, 0) == 0);
  CHECK(average_decay(0.99, 1) == 0.5);
  CHECK(average_decay(0.99, 98) == doctest::Approx(98.0 / 99));
  CHECK(average_decay(0.99, 5000) == 0.99);
  const TermWeights::Ramp ramp = sigmoid_ramp(40);
  CHECK(ramp(0) == doctest::Approx(std::exp(-5.0)));
  CHECK(ramp(20) == doctest::Approx(std::exp(-1.25)));
  CHECK(ramp(40) == 1);
  CHECK(ramp(1000) == 1);
  CHECK(!sigmoid_ramp(0));
}

TEST_CASE("mean teacher: the consistency and its gradient are those of the formula in double") {
  Generator g(3);
  Array s({2, 3, 4, kClasses}), e(s.shape);
  normal(2)(s, g);
  normal(2)(e, g);
  const auto probabilities = [](const Array& z, auto n, auto h, auto w) {
    std::vector<double> p;
    double sum = 0;
    for (int c = 0; c < kClasses; ++c) sum += p.emplace_back(std::exp(z.at(n, h, w, c)));
    for (double& v : p) v /= sum;
    return p;
  };
  double want = 0;
  Array slope(s.shape);
  for_each_element({2, 3, 4, 1}, [&](auto n, auto h, auto w, auto) {
    const std::vector<double> p = probabilities(s, n, h, w), q = probabilities(e, n, h, w);
    double mean = 0;
    for (std::size_t c = 0; c < kClasses; ++c) {
      want += (p[c] - q[c]) * (p[c] - q[c]) / static_cast<double>(s.v.size());
      mean += p[c] * (p[c] - q[c]);
    }
    for (std::size_t c = 0; c < kClasses; ++c)
      slope.at(n, h, w, static_cast<std::int64_t>(c)) =
          2 / static_cast<double>(s.v.size()) * p[c] * (p[c] - q[c] - mean);
  });
  for (const Device& device : {cpu_device(), simt_device()}) {
    Tensor zs = to_tensor(s, Layout::dense).to(device), ze = to_tensor(e, Layout::dense).to(device);
    zs.require_grad();
    ze.require_grad();
    const Tensor loss = consistency_loss(zs, ze);
    CHECK(loss.item() == doctest::Approx(want).epsilon(1e-6));
    backward(loss);
    CHECK(relative_error(zs.grad().to(cpu_device()), to_tensor(slope, Layout::dense).to(cpu_device())) < 1e-5);
    CHECK(!ze.grad());  // the average is a constant
  }
}

TEST_CASE("mean teacher: the average starts as the student, noise and dropout are each network's own") {
  const Batch batch = batch_number(0);
  CHECK(Pair(quiet()).consistency(batch) == 0);  // the same network, the same picture
  MeanTeacherOptions noisy = quiet();
  noisy.noise = 0.3;
  CHECK(Pair(noisy).consistency(batch) > 1e-6);
  CHECK(Pair(noisy).consistency(batch, 1) != Pair(noisy).consistency(batch, 2));
  CHECK(Pair(quiet(), cpu_device(), 0.3f).consistency(batch) > 1e-6);
  const Pair pair(quiet());
  CHECK(same_bits(weights_of(*pair.student), weights_of(*pair.average)));
}

TEST_CASE("mean teacher: cross entropy of the labelled half, consistency of both") {
  MeanTeacherOptions o = quiet();
  o.weight = 2;
  Pair pair(o);
  pair.average->initialise(7);  // another network, so that there is something to be consistent with
  const Batch batch = batch_number(0, 1);
  Random random(1);
  const std::vector<TermReport> terms = pair.task->objective(batch, random).report();
  REQUIRE(terms.size() == 3);
  const NoGrad off;
  const Tensor s = pair.student->forward(batch.image, random).logits,
               e = pair.average->forward(batch.image, random).logits;
  CHECK(terms[0].value == doctest::Approx(cross_entropy(slice_images(s, 0, 1), batch.label).item()).epsilon(1e-5));
  CHECK(terms[2].name == "consistency");
  CHECK(terms[2].value == doctest::Approx(2 * consistency_loss(s, e).item()).epsilon(1e-5));
  const double half = 2 * static_cast<double>(consistency_loss(slice_images(s, 0, 1), slice_images(e, 0, 1)).item());
  CHECK(terms[2].value != doctest::Approx(half).epsilon(1e-4));
}

TEST_CASE("mean teacher: after every step the average is decay times itself and the rest the student") {
  MeanTeacherOptions o = quiet();
  o.decay = 0.6;
  o.noise = 0.1;
  Pair pair(o);
  Random random(3);
  StepRunner runner(*pair.task, {.name = "adamw", .lr = 1e-2}, {.accumulate = 2}, random);
  const auto values = [](const Network& n) {
    std::vector<double> all;
    for (const NamedTensor& p : n.parameters())
      for (const float v : p.tensor.to_vector()) all.push_back(static_cast<double>(v));
    return all;
  };
  std::vector<double> want = values(*pair.average), before = want;
  const std::vector<float> statistics = pair.average->buffers()[0].tensor.to_vector();
  for (std::int64_t step = 0; step < 5; ++step) {
    runner.run({batch_number(2 * step), batch_number(2 * step + 1)}, step, 1e-2, false);
    while (!runner.idle()) runner.report();
    const std::vector<double> student = values(*pair.student), found = values(*pair.average);
    const double a = std::min(1 - 1 / static_cast<double>(step + 1), 0.6);
    double error = 0, moved = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      want[i] = a * want[i] + (1 - a) * student[i];
      error = std::max(error, std::abs(found[i] - want[i]));
      moved = std::max(moved, std::abs(found[i] - student[i]));
    }
    CHECK(error < 1e-5);
    CHECK((moved > 1e-4) == (step > 0));  // the first average is the student
  }
  CHECK(pair.average->buffers()[0].tensor.to_vector() != statistics);  // from its own passes
  for (const NamedTensor& p : pair.average->parameters()) CHECK(!p.tensor.grad());
  CHECK(pair.task->trained().parameters().size() == pair.student->parameters().size());
}

namespace {

struct Trace {
  std::vector<StepReport> reports;
  std::vector<float> state;
  bool captured = false;
};

Trace train(StepGraphMode graph, std::int64_t first, std::int64_t end, const std::string& load = {},
            const std::string& save = {}, DType activations = DType::f32) {
  MeanTeacherOptions o = quiet();
  o.supervised.activations = activations;
  o.noise = 0.1;
  o.rampup_steps = 4;
  Pair pair(o, graph_device(), 0.2f);
  Random random(7);
  StepRunner runner(*pair.task, {.name = "adamw", .lr = 1e-2},
                    {.clip_norm = 0.5, .graph = graph, .shadow_weights = activations == DType::bf16}, random);
  CheckpointState state;
  if (!load.empty()) {
    load_checkpoint(load, pair.task->trained(), &runner.optimizer(), state);
    random = state.random;
    runner.parameters().refresh_shadow();
  }
  Trace trace;
  for (std::int64_t step = first; step < end; ++step) {
    runner.run({batch_number(step, 1)}, step, 1e-2, step == 0);
    while (!runner.idle()) trace.reports.push_back(runner.report());
  }
  if (!save.empty()) {
    state.step = end;
    state.random = random;
    save_checkpoint(save, pair.task->trained(), &runner.optimizer(), state);
  }
  trace.state = weights_of(pair.task->trained());
  trace.captured = runner.captured();
  return trace;
}

}  // namespace

TEST_CASE("mean teacher: captured steps have the bits of steps run launch by launch, float32 and bf16") {
  for (const DType activations : {DType::f32, DType::bf16}) {
    const Trace plain = train(StepGraphMode::off, 0, 5, {}, {}, activations),
                graph = train(StepGraphMode::on, 0, 5, {}, {}, activations);
    CHECK(graph.captured);
    CHECK(same_bits(plain.state, graph.state));
    REQUIRE(plain.reports[0].terms.size() == 3);
    CHECK(plain.reports[0].terms[2].norm > 0);  // of the student, not of the average
    for (std::size_t i = 0; i < 5; ++i) CHECK(plain.reports[i].loss == graph.reports[i].loss);
    CHECK(graph.reports[4].terms[2].value != graph.reports[3].terms[2].value);
  }
}

TEST_CASE("mean teacher: a run that is resumed goes on to the same bits") {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/latest.gfm";
  const Trace whole = train(StepGraphMode::on, 0, 6);
  train(StepGraphMode::on, 0, 3, {}, file);
  CHECK(same_bits(whole.state, train(StepGraphMode::on, 3, 6, file).state));
}

TEST_CASE("mean teacher: a semi-supervised run on files saves the average") {
  const TemporaryFolder data, run;
  write_discs(data.path(), 24, 32);
  Dataset discs = open_discs(data.path());
  keep_labels(discs, 6, 1);
  for (Case& c : discs.cases)
    if (c.split == Split::unlabelled) c.label.clear();
  const NetworkOptions o{1, 2, 0.1, 0};
  const auto student = make_network("mobile_unet", o), average = make_network("mobile_unet", o);
  student->initialise(1);
  const NetworkDescription description{"mobile_unet", o, discs.class_names, discs.preprocessing};
  MeanTeacherTask task(
      *student, *average, {.supervised = {.ce = 0.5, .dice = 0.5}, .rampup_steps = 10},
      [&] { return Validation{.score = average->training() ? 0.0 : 1.0, .text = "", .values = {}}; },
      description.to_entries());
  LoaderOptions l;
  l.batch_size = 4;
  PairedLoader loader(discs, l);
  TrainingObserver observer;
  TrainerOptions t;
  t.max_iterations = 12;
  t.optimizer.lr = 3e-3;
  t.checkpoints = run.path();
  const TrainingResult result = run_training(task, loader, t, observer);
  CHECK(result.best_score == 1);  // validated in evaluation mode
  CHECK(!same_bits(weights_of(*student), weights_of(*average)));
  for (const char* name : {"/final.gfm", "/latest.gfm"}) {
    const NetworkFile file = load_network(run.path() + name);
    CHECK_MESSAGE(same_bits(weights_of(*file.network), weights_of(*average)), name);
  }
  const auto other = make_network("enet", {1, 2, 0.1, 0});
  CHECK_THROWS_WITH_AS(MeanTeacherTask(*student, *other, {}, [] { return Validation{}; }, {}),
                       doctest::Contains("another network"), Error);
}

TEST_CASE("mean teacher: every op in a step has a gradient case") {
  MeanTeacherOptions o = quiet();
  o.noise = 0.1;
  Pair pair(o, cpu_device(), 0.2f);
  Random random(1);
  const TapeObserver observer;
  backward(pair.task->objective(batch_number(0, 1), random).total());
  CHECK(observer.ops().count("mse_loss"));
  CHECK(ops_without_gradient_case(observer.ops()) == std::vector<std::string>{});
}

}  // namespace gf::test
