// The training loop on real files: it learns, its terms are reported, and a run that stops goes on to the same bits.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>

#include "data/loader.h"
#include "distill/distillation.h"
#include "distill/inference.h"
#include "distill/model_file.h"
#include "distill/paraphrase.h"
#include "distill/trainer.h"
#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "kernels/error.h"
#include "tests/distill/disc_run.h"
#include "tests/distill/layer_pairs.h"
#include "tests/harness/weights.h"

using namespace gf;
using namespace gf::test;

TEST_CASE("a network learns discs, and the checkpoint alone gives the same masks") {
  const TemporaryFolder folder;
  Supervised run("mobile_unet", 0.25);
  Loader loader(discs(), Split::train, loader_options());
  Recorder recorder;
  const TrainingResult result = run_training(*run.task, loader, options(folder.path(), 60), recorder);
  CHECK(result.steps == 60);
  CHECK(recorder.steps.front().loss > 2 * recorder.steps.back().loss);
  REQUIRE(result.best_score);
  CHECK(*result.best_score > 0.8);

  const NetworkFile file = load_network(folder.path() + "/final.gfm");
  run.network->eval();
  const ConfusionMatrix a = evaluate_pooled(*run.network, run.validation, discs());
  const ConfusionMatrix b = evaluate_pooled(*file.network, run.validation, discs());
  for (const int t : {0, 1})
    for (const int p : {0, 1}) CHECK(a.count(t, p) == b.count(t, p));
  CHECK(file.description.preprocessing == discs().preprocessing);
  CHECK(file.description.class_names == discs().class_names);
}

TEST_CASE("a run interrupted and resumed ends with the bits of the unbroken run") {
  const TemporaryFolder whole, parts;
  const auto train = [&](const std::string& folder, Recorder& recorder, const std::string& resume,
                         const std::atomic<bool>* stop) {
    Supervised run("fanet", 0.05, 0.5f);  // dropout: the random position must travel too
    Loader loader(discs(), Split::train, loader_options());
    const TrainingResult r = run_training(*run.task, loader, options(folder, 11), recorder, resume, stop);
    return std::pair(r, weights_of(*run.network));
  };
  Recorder unbroken, first, second;
  const auto [whole_result, expected] = train(whole.path(), unbroken, {}, nullptr);
  std::atomic<bool> stop{false};
  first.stop = &stop;
  first.stop_at = 6;  // inside an epoch of four steps, between two validations
  const auto [broken, unused] = train(parts.path(), first, {}, &stop);
  CHECK(broken.interrupted);
  CHECK(broken.steps == 6);
  const auto [resumed, found] = train(parts.path(), second, parts.path() + "/latest.gfm", nullptr);
  CHECK(resumed.steps == 11);
  CHECK(same_bits(expected, found));
  REQUIRE(second.steps.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(second.steps[i].loss == unbroken.steps[6 + i].loss);
  CHECK(resumed.best_score == whole_result.best_score);
  CHECK(resumed.best_step == whole_result.best_step);
}

TEST_CASE("a validation that an interruption skips is made up for: the best checkpoint is that of the unbroken run") {
  const auto train = [&](const std::string& folder, Recorder& recorder, const std::string& resume,
                         const std::atomic<bool>* stop) {
    Supervised run("mobile_unet", 0.1);
    Loader loader(discs(), Split::train, loader_options());
    return run_training(*run.task, loader, options(folder, 11), recorder, resume, stop);
  };
  const TemporaryFolder whole, parts;
  Recorder unbroken, first, second, third;
  train(whole.path(), unbroken, {}, nullptr);
  std::atomic<bool> stop{false};
  first.stop = &stop;
  first.stop_at = 5;  // validated every five steps
  CHECK(train(parts.path(), first, {}, &stop).interrupted);
  CHECK(first.scores.empty());
  // At once again: the step is validated before it goes on.
  second.stop = &stop;
  second.stop_at = 6;
  stop = false;
  train(parts.path(), second, parts.path() + "/latest.gfm", &stop);
  train(parts.path(), third, parts.path() + "/latest.gfm", nullptr);
  CHECK(first.steps.size() + second.steps.size() + third.steps.size() == unbroken.steps.size());
  std::vector<double> scores = second.scores;
  scores.insert(scores.end(), third.scores.begin(), third.scores.end());
  CHECK(scores == unbroken.scores);
  CHECK(unbroken.scores.size() == 3);
}

TEST_CASE("the report of a step says how long it waited for its pictures") {
  struct Slow : BatchSource {
    explicit Slow(BatchSource& source) : source(source) {}
    Batch next() override {
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
      return source.next();
    }
    LoaderPosition position() const override { return source.position(); }
    void seek(LoaderPosition p) override { source.seek(p); }
    std::int64_t steps_per_epoch() const override { return source.steps_per_epoch(); }
    std::string name_of_sample(const Batch& b, std::size_t i) const override { return source.name_of_sample(b, i); }
    BatchSource& source;
  };
  const TemporaryFolder folder;
  for (const int accumulate : {1, 2}) {
    Supervised run("mobile_unet", 0.1);
    Loader loader(discs(), Split::train, loader_options());
    Slow slow(loader);
    TrainerOptions o = options(folder.path(), 3);
    o.step.accumulate = accumulate;
    Recorder recorder;
    run_training(*run.task, slow, o, recorder);
    REQUIRE(recorder.steps.size() == 3);
    for (const StepReport& r : recorder.steps) {
      CHECK(r.data_seconds >= 0.04 * accumulate);
      CHECK(r.data_seconds < 20);
      CHECK(r.seconds > 0);
    }
  }
}

TEST_CASE("a run whose pictures are changed on the device is the run whose loader changes them") {
  const auto train = [](bool later) {
    const TemporaryFolder folder;
    Supervised run("fanet", 0.05);
    LoaderOptions o = loader_options();
    o.augmentation.gain = o.augmentation.gamma = 0.2f;
    o.augment_later = later;
    Loader loader(discs(), Split::train, o);
    Recorder recorder;
    run_training(*run.task, loader, options(folder.path(), 3), recorder);
    return weights_of(*run.network);
  };
  CHECK(same_bits(train(false), train(true)));
}

TEST_CASE("mixed precision on simt: a network learns, and a resumed run ends with the bits of the unbroken one") {
  const TemporaryFolder whole, parts;
  const auto train = [&](const std::string& folder, Recorder& recorder, const std::string& resume,
                         const std::atomic<bool>* stop) {
    Supervised run("mobile_unet", 0.1, 0, simt_device(), DType::bf16);
    Loader loader(discs(), Split::train, loader_options());
    TrainerOptions o = options(folder, 12);
    o.eval_every = 0;
    o.step.shadow_weights = true;
    run_training(*run.task, loader, o, recorder, resume, stop);
    return weights_of(*run.network);
  };
  Recorder unbroken, first, second;
  const std::vector<float> expected = train(whole.path(), unbroken, {}, nullptr);
  const auto mean_loss = [&](std::size_t from) {
    double sum = 0;
    for (std::size_t i = from; i < from + 3; ++i) sum += unbroken.steps[i].loss / 3;
    return sum;
  };
  CHECK(mean_loss(9) < 0.8 * mean_loss(0));
  std::atomic<bool> stop{false};
  first.stop = &stop;
  first.stop_at = 5;
  train(parts.path(), first, {}, &stop);
  CHECK(same_bits(expected, train(parts.path(), second, parts.path() + "/latest.gfm", nullptr)));
}

TEST_CASE("gradient accumulation gives the gradient of the mean of its micro-batches") {
  const TemporaryFolder folder;
  Supervised run("fanet", 0.05);
  Loader loader(discs(), Split::train, loader_options());
  TrainerOptions o = options(folder.path(), 2);
  o.step.accumulate = 2;
  Recorder recorder;
  run_training(*run.task, loader, o, recorder);
  // The mean of the two micro-batches' losses, each computed by hand on a fresh network.
  Supervised again("fanet", 0.05);
  Loader same(discs(), Split::train, loader_options());
  again.network->train();
  Random random(1);
  double mean = 0;
  for (int i = 0; i < 2; ++i) mean += again.task->objective(same.next(), random).total().item() / 2;
  CHECK(recorder.steps[0].loss == doctest::Approx(mean).epsilon(1e-6));
}

TEST_CASE("paraphrasers and distillation: every term is reported, its share is its gradient's") {
  const TemporaryFolder folder;
  const NetworkOptions teacher_options{1, 2, 0.1, 0}, student_options{1, 2, 0.25, 0};
  const auto teacher = make_network("fanet", teacher_options), student = make_network("mobile_unet", student_options);
  teacher->initialise(1);
  student->initialise(2);
  const std::vector<TapPair> taps = first_pairs(*teacher, 2), of_student = first_pairs(*student, 2);
  const ParaphraserDescription description{paraphraser_sizes(*teacher, *student, taps, of_student), taps};
  Paraphrasers paraphrasers(description.sizes);
  paraphrasers.initialise(4);

  const SplitCases validation(discs(), Split::val);
  const auto images = [&] {
    std::vector<Tensor> list;
    for (std::size_t i = 0; i < validation.size(); ++i)
      list.push_back(image_batch(*validation.at(i), 0, 1, discs().preprocessing));
    return list;
  };
  const std::vector<float> teacher_before = weights_of(*teacher);
  ParaphraseTask unsupervised(paraphrasers, *teacher, taps, images, description.to_entries());
  Loader loader(discs(), Split::train, loader_options());
  Recorder recorder;
  TrainerOptions o = options(folder.path(), 30);
  o.optimizer.lr = 1e-2;
  run_training(unsupervised, loader, o, recorder);
  CHECK(recorder.scores.back() > recorder.scores.front());  // reconstruction improves
  REQUIRE(recorder.steps[0].terms.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const TermReport& term = recorder.steps.back().terms[i];
    CHECK(term.name == paraphraser_terms(2)[i]);
    CHECK(term.value < recorder.steps[0].terms[i].value);
  }
  const ParaphraserFile file = load_paraphrasers(folder.path() + "/final.gfm");
  CHECK(file.description.sizes[0].factors == student->tap_channels());
  CHECK(same_bits(weights_of(*file.paraphrasers), weights_of(paraphrasers)));

  DistillationOptions d;
  d.supervised = {.ce = 1, .dice = 0.5};
  d.teacher_taps = taps;
  d.student_taps = of_student;
  DistillationTask task(*student, *teacher, &paraphrasers, d, [] { return Validation{}; }, {});
  student->train();
  Random random(1);
  FlatParameters flat(*student);
  const Objective objective = task.objective(loader.next(), random);
  const std::vector<TermReport> terms = objective.report_with_shares(student->parameters());
  REQUIRE(terms.size() == 5);
  double sum = 0, values = 0;
  for (const TermReport& t : terms) {
    INFO(t.name);
    CHECK(t.share > 0);
    sum += t.share;
    values += t.value;
  }
  CHECK(sum == doctest::Approx(1));
  CHECK(objective.total().item() == doctest::Approx(values).epsilon(1e-5));

  // The norms by the optimiser's way, and the shares by the norms.
  double norms = 0;
  for (const TermReport& t : terms) norms += t.norm;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    INFO(terms[i].name);
    flat.zero_grad();
    backward(objective.terms()[i].weighted, true);
    CHECK(terms[i].norm == doctest::Approx(flat.gradient_norm()).epsilon(1e-5));
    CHECK(terms[i].share == doctest::Approx(terms[i].norm / norms));
  }

  CHECK(same_bits(teacher_before, weights_of(*teacher)));  // frozen, running statistics included
}

TEST_CASE("distillation warms up and refuses to run without paraphrasers") {
  const auto teacher = make_network("fanet", {1, 2, 0.05, 0}), student = make_network("mobile_unet", {1, 2, 0.1, 0});
  teacher->initialise(1);
  student->initialise(2);
  DistillationOptions d;
  d.vertex_weight = d.edge_weight = 0;
  d.kd_weight = 3;
  d.warmup_steps = 4;
  DistillationTask task(*student, *teacher, nullptr, d, [] { return Validation{}; }, {});
  Loader loader(discs(), Split::train, loader_options());
  const Batch batch = loader.next();
  Random random(1);
  const auto kd_at = [&](std::int64_t step) {
    task.begin_step(step);
    return task.objective(batch, random).report()[1].value;
  };
  const double full = kd_at(100);
  CHECK(full > 0);
  CHECK(kd_at(0) == doctest::Approx(full / 4));
  CHECK(kd_at(3) == doctest::Approx(full));
  d.vertex_weight = 1;
  CHECK_THROWS_WITH_AS(DistillationTask(*student, *teacher, nullptr, d, [] { return Validation{}; }, {}),
                       doctest::Contains("graphflow paraphrase"), Error);
}
