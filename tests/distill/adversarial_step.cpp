// Alternating steps of student and discriminator: both learn, each by its own optimiser; the same bits captured or not
// and resumed or not; the same numbers on cpu and simt.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <limits>

#include "data/loader.h"
#include "distill/distillation.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "distill/trainer.h"
#include "engine/io/checkpoint.h"
#include "engine/io/safetensors.h"
#include "engine/io/weights.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "tests/harness/discs.h"
#include "tests/harness/op_case.h"
#include "tests/harness/weights.h"

namespace gf::test {
namespace {

constexpr std::int64_t kSide = 64;

Batch batch_number(std::int64_t number) {
  Generator g(static_cast<std::uint64_t>(number) + 1);
  Array image({2, kSide, kSide, 1}), ids({2, kSide, kSide, 1});
  normal()(image, g);
  class_ids(2)(ids, g);
  const auto host = [](const Array& a, DType t) { return to_tensor(a, Layout::dense, t).to(cpu_device()); };
  Batch b;
  b.image = host(image, DType::f32);
  b.label = host(ids, DType::i32);
  return b;
}

struct Run {
  std::unique_ptr<Network> teacher, student;
  std::unique_ptr<DistillationTask> task;

  explicit Run(const Device& device, const AdversarialOptions& adversarial,
               std::function<Validation()> validate = nullptr, std::map<std::string, std::string> description = {},
               double kd_weight = 1) {
    teacher = make_network("fanet", {.in_channels = 1, .classes = 2, .width = 0.05});
    student = make_network("mobile_unet", {.in_channels = 1, .classes = 2, .width = 0.1, .dropout = 0});
    teacher->initialise(1);
    student->initialise(2);
    student->to(device);
    DistillationOptions o;
    o.supervised = {.ce = 1};
    o.vertex_weight = o.edge_weight = 0;
    o.kd_weight = kd_weight;
    o.warmup_steps = 3;
    o.adversarial = adversarial;
    task =
        std::make_unique<DistillationTask>(*student, *teacher, nullptr, o, std::move(validate), std::move(description));
  }
};

AdversarialOptions narrow() { return {.weight = 0.1, .lr = 1e-3, .steps = 20, .width = 0.05, .seed = 3}; }

struct Trace {
  std::vector<StepReport> reports;
  std::vector<float> student, discriminator, moments;
  bool captured = false;
};

Trace train(const Device& device, StepGraphMode graph, const AdversarialOptions& adversarial, std::int64_t first,
            std::int64_t end, int accumulate = 1, const std::string& load = {}, const std::string& save = {}) {
  Run run(device, adversarial);
  Random random(7);
  StepRunner runner(*run.task, {.name = "adamw", .lr = 1e-3}, {.accumulate = accumulate, .graph = graph}, random);
  const CheckpointCompanion opponent{&run.task->opponent()->model(), runner.opponent_optimizer()};
  CheckpointState state;
  if (!load.empty()) {
    load_checkpoint(load, *run.student, &runner.optimizer(), state, &opponent);
    random = state.random;
  }
  Trace t;
  for (std::int64_t step = first; step < end; ++step) {
    std::vector<Batch> batches;
    for (int i = 0; i < accumulate; ++i) batches.push_back(batch_number(step * accumulate + i));
    runner.run(std::move(batches), step, 1e-3, step == 0);
    while (!runner.idle()) t.reports.push_back(runner.report());
  }
  if (!save.empty()) {
    state.step = end;
    state.random = random;
    save_checkpoint(save, *run.student, &runner.optimizer(), state, &opponent);
  }
  t.student = weights_of(*run.student);
  t.discriminator = weights_of(*opponent.module);
  for (const Optimizer::State& s : opponent.optimizer->state())
    for (const float v : s.buffer.to_vector()) t.moments.push_back(v);
  t.captured = runner.captured();
  return t;
}

void same_run(const Trace& a, const Trace& b, std::size_t skipped = 0) {
  REQUIRE(a.reports.size() == b.reports.size() + skipped);
  for (std::size_t i = 0; i < b.reports.size(); ++i) {
    const StepReport &x = a.reports[i + skipped], &y = b.reports[i];
    INFO("step ", x.step);
    CHECK(x.loss == y.loss);
    REQUIRE(x.watched.size() == y.watched.size());
    for (std::size_t w = 0; w < x.watched.size(); ++w) CHECK(x.watched[w].value == y.watched[w].value);
  }
  CHECK(same_bits(a.student, b.student));
  CHECK(same_bits(a.discriminator, b.discriminator));
  CHECK(same_bits(a.moments, b.moments));
}

}  // namespace

TEST_CASE("adversarial steps: student and discriminator both move, and the report has both sides") {
  const Trace one = train(cpu_device(), StepGraphMode::off, narrow(), 0, 1),
              two = train(cpu_device(), StepGraphMode::off, narrow(), 0, 2);
  CHECK_FALSE(same_bits(one.discriminator, two.discriminator));
  const StepReport& r = two.reports[1];
  REQUIRE(r.terms.size() == 3);
  CHECK(r.terms[2].name == "adv");
  CHECK(r.loss == doctest::Approx(r.terms[0].value + r.terms[1].value + r.terms[2].value));
  REQUIRE(r.watched.size() == 3);
  CHECK(r.watched[0].name == "d_teacher");
  CHECK(r.watched[1].name == "d_student");
  CHECK(r.watched[2].name == "d_penalty");
  CHECK(two.reports[0].terms[2].share > 0);
  // weight * warm-up (2 of 3) * -D(S): D has one power iteration more behind it when its own turn comes.
  CHECK(r.terms[2].value == doctest::Approx(-0.1 * 2 / 3 * r.watched[1].value).epsilon(0.2));
}

TEST_CASE("adversarial steps: the discriminator learns to tell teacher from student while the student stands still") {
  AdversarialOptions o = narrow();
  o.weight = 1e-6;
  const Trace t = train(cpu_device(), StepGraphMode::off, o, 0, 30);
  const auto gap = [&](std::size_t i) { return t.reports[i].watched[0].value - t.reports[i].watched[1].value; };
  CHECK(gap(29) > gap(0) + 0.01);
}

TEST_CASE("adversarial steps: captured ones have the bits of steps run launch by launch, micro-batches too") {
  for (const int accumulate : {1, 2}) {
    CAPTURE(accumulate);
    const Trace plain = train(graph_device(), StepGraphMode::off, narrow(), 0, 5, accumulate),
                graph = train(graph_device(), StepGraphMode::on, narrow(), 0, 5, accumulate);
    CHECK_FALSE(plain.captured);
    CHECK(graph.captured);
    same_run(plain, graph);
    CHECK(plain.reports[4].watched[2].value != plain.reports[3].watched[2].value);
  }
}

TEST_CASE("adversarial steps: hinge and the conditional discriminator, captured") {
  AdversarialOptions o = narrow();
  o.conditional = true;
  o.preprocess = Preprocess::batch_norm;
  same_run(train(graph_device(), StepGraphMode::off, o, 0, 4), train(graph_device(), StepGraphMode::on, o, 0, 4));
  o.loss = AdversarialLoss::hinge;
  const Trace hinge = train(graph_device(), StepGraphMode::on, o, 0, 4);
  same_run(train(graph_device(), StepGraphMode::off, o, 0, 4), hinge);
  CHECK(hinge.reports[0].watched.size() == 2);
}

TEST_CASE("adversarial steps: simt computes what the cpu computes") {
  const Trace a = train(cpu_device(), StepGraphMode::off, narrow(), 0, 2),
              b = train(graph_device(), StepGraphMode::off, narrow(), 0, 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(b.reports[i].loss == doctest::Approx(a.reports[i].loss).epsilon(1e-4));
    for (std::size_t w = 0; w < 3; ++w)
      CHECK(b.reports[i].watched[w].value == doctest::Approx(a.reports[i].watched[w].value).epsilon(1e-3));
  }
}

TEST_CASE("adversarial steps: a resumed run ends with the bits of the unbroken one, captured too") {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/latest.gfm";
  for (const auto& [device, mode] :
       {std::pair(cpu_device(), StepGraphMode::off), std::pair(graph_device(), StepGraphMode::on)}) {
    CAPTURE(device_name(device));
    const Trace whole = train(device, mode, narrow(), 0, 7);
    train(device, mode, narrow(), 0, 3, 1, {}, file);
    same_run(whole, train(device, mode, narrow(), 3, 7, 1, file), 3);
  }
  // The student alone is there for who wants nothing else; without its discriminator a run does not go on.
  const auto student = make_network("mobile_unet", {.in_channels = 1, .classes = 2, .width = 0.1});
  CHECK(load_weights(*student, file).complete());
  CheckpointState state;
  load_checkpoint(file, *student, nullptr, state);
  save_checkpoint(file, *student, nullptr, state);
  Run run(cpu_device(), narrow());
  Random random(7);
  StepRunner runner(*run.task, {}, {}, random);
  const CheckpointCompanion opponent{&run.task->opponent()->model(), runner.opponent_optimizer()};
  CHECK_THROWS_WITH_AS(load_checkpoint(file, *run.student, nullptr, state, &opponent),
                       doctest::Contains("the discriminator that the model is trained against"), Error);
}

TEST_CASE("adversarial training: interrupted, resumed, and exported without its discriminator") {
  const TemporaryFolder data, whole, parts;
  write_discs(data.path(), 12, 64);
  const Dataset dataset = open_discs(data.path());
  const SplitCases validation(dataset, Split::val);
  struct Recorder : TrainingObserver {
    std::atomic<bool>* stop = nullptr;
    void stepped(const StepReport& r) override {
      if (stop && r.step == 3) *stop = true;
    }
  };
  const auto train = [&](const std::string& folder, const std::string& resume, std::atomic<bool>* stop) {
    const NetworkDescription d{"mobile_unet", {1, 2, 0.1, 0}, dataset.class_names, dataset.preprocessing};
    Run run(
        cpu_device(), narrow(), [&] { return segmentation_validation(*run.student, validation, dataset); },
        d.to_entries());
    LoaderOptions lo;
    lo.batch_size = 2;
    Loader loader(dataset, Split::train, lo);
    TrainerOptions o;
    o.max_iterations = 6;
    o.checkpoints = folder;
    Recorder recorder;
    recorder.stop = stop;
    run_training(*run.task, loader, o, recorder, resume, stop);
    std::vector<float> all = weights_of(*run.student);
    for (const float v : weights_of(run.task->opponent()->model())) all.push_back(v);
    return all;
  };
  const std::vector<float> expected = train(whole.path(), {}, nullptr);
  std::atomic<bool> stop{false};
  train(parts.path(), {}, &stop);
  CHECK(same_bits(expected, train(parts.path(), parts.path() + "/latest.gfm", nullptr)));
  for (const char* name : {"/final.gfm", "/latest.gfm"})
    CHECK(load_network(parts.path() + name).network->parameter_count() > 0);
  const SafetensorsFile exported(parts.path() + "/final.gfm");
  for (const FileTensor& t : exported.tensors()) CHECK(t.name.starts_with("model."));
}

TEST_CASE(
    "adversarial training: numbers of the discriminator that are not finite are named, with its own rate to lower") {
  const auto error_of = [](Run& run) -> std::string {
    const TemporaryFolder data, folder;
    write_discs(data.path(), 6, 64);
    const Dataset dataset = open_discs(data.path());
    LoaderOptions lo;
    lo.batch_size = 2;
    Loader loader(dataset, Split::train, lo);
    TrainerOptions o;
    o.max_iterations = 2;
    o.checkpoints = folder.path();
    TrainingObserver nobody;
    try {
      run_training(*run.task, loader, o, nobody);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  };
  const auto ends_with_remedy = [](const std::string& text) {
    return text.ends_with("; lower distill.adversarial.lr");
  };

  // A parameter of its: the student's term is the first to show it, and no rate of the student's is to blame.
  const auto unscored = [] { return Validation(); };
  Run spoiled(cpu_device(), narrow(), unscored);
  const NamedTensor parameter = spoiled.task->opponent()->model().parameters().back();
  parameter.tensor.mutable_data()[0] = std::numeric_limits<float>::quiet_NaN();
  std::string text = error_of(spoiled);
  CHECK_MESSAGE(text.starts_with("the loss is not finite: term adv at step 1: expected a number, found nan"), text);
  CHECK_MESSAGE(text.find("first in parameter of the discriminator, " + parameter.name) != text.npos, text);
  CHECK_MESSAGE(ends_with_remedy(text), text);

  // A score in its own turn: the teacher's logits are nothing to the student's term.
  AdversarialOptions unbounded = narrow();
  unbounded.preprocess = Preprocess::none;
  Run run(cpu_device(), unbounded, unscored, {}, /*kd_weight=*/0);
  for (const NamedTensor& p : run.teacher->parameters())
    if (p.name == "classifier.bias") p.tensor.mutable_data()[0] = std::numeric_limits<float>::infinity();
  text = error_of(run);
  CHECK_MESSAGE(text.starts_with("the discriminator is not finite: term d_teacher at step 1: expected a number"), text);
  CHECK_MESSAGE(ends_with_remedy(text), text);

  // A gradient where every value is finite: the step is left out.
  AdversarialOptions steep = narrow();
  steep.lambda_d = 3e38;
  Run overflowing(cpu_device(), steep, unscored);
  const auto parameters = [&] {
    std::vector<std::vector<float>> all;
    for (const NamedTensor& p : overflowing.task->opponent()->model().parameters()) all.push_back(p.tensor.to_vector());
    return all;
  };
  const std::vector<std::vector<float>> before = parameters();
  text = error_of(overflowing);
  CHECK_MESSAGE(text.starts_with("the discriminator's gradient is not finite: norm at step 1: expected a number"),
                text);
  CHECK_MESSAGE(text.find("first in the discriminator's turn: ") != text.npos, text);
  CHECK_MESSAGE(ends_with_remedy(text), text);
  CHECK(parameters() == before);
}

TEST_CASE("adversarial training: pictures too small for the discriminator are refused by their size") {
  Run run(cpu_device(), narrow());
  Batch small;
  small.image = Tensor::zeros({1, 32, 64, 1});
  small.label = Tensor::from(std::vector<std::int32_t>(32 * 64), small.image.shape());
  Random random(1);
  CHECK_THROWS_WITH_AS(run.task->objective(small, random), doctest::Contains("found 32x64"), Error);
}

}  // namespace gf::test
