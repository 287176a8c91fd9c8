// Semi-supervised distillation: labels speak of the first half of a batch, the teacher of all of it.
#include <doctest/doctest.h>

#include <fstream>

#include "data/paired_loader.h"
#include "data/split_file.h"
#include "distill/distillation.h"
#include "distill/trainer.h"
#include "engine/autograd.h"
#include "engine/ops/losses.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"
#include "kernels/error.h"
#include "tests/harness/discs.h"
#include "tests/harness/op_case.h"

using namespace gf;
using namespace gf::test;

TEST_CASE(
    "semi-supervised: cross entropy of the labelled half, distillation of both, and labels that nobody can read") {
  const TemporaryFolder data, run;
  write_discs(data.path(), 24, 32);
  Dataset d = open_discs(data.path());
  keep_labels(d, 6, 1);
  for (Case& c : d.cases)
    if (c.split == Split::unlabelled) {
      c.label.clear();
      std::filesystem::remove(data.path() + "/masks/" + c.id + ".png");
    }
  const auto teacher = make_network("fanet", {1, 2, 0.05, 0}), student = make_network("mobile_unet", {1, 2, 0.1, 0});
  teacher->initialise(1);
  student->initialise(2);
  Paraphrasers paraphrasers({{teacher->tap_channels(), teacher->tap_channels(), student->tap_channels()}});
  paraphrasers.initialise(3);
  DistillationOptions o;
  o.supervised = {.ce = 1, .dice = 0.5};
  o.teacher_taps = {teacher->default_taps()};
  o.student_taps = {student->default_taps()};
  DistillationTask task(*student, *teacher, &paraphrasers, o, [] { return Validation{}; }, {});
  LoaderOptions l;
  l.batch_size = 4;
  PairedLoader loader(d, l);

  const Batch batch = loader.next();
  Random random(1);
  const std::vector<TermReport> terms = task.objective(batch, random).report();
  const auto value = [&](const std::string& name) {
    for (const TermReport& t : terms)
      if (t.name == name) return t.value;
    FAIL("no term " << name);
    return 0.0;
  };
  const NoGrad off;
  const Tensor z = student->forward(batch.image, random).logits;
  CHECK(value("ce") == doctest::Approx(cross_entropy(slice_images(z, 0, 2), batch.label).item()).epsilon(1e-5));
  const Tensor t = teacher->forward(batch.image, random).logits;
  CHECK(value("kd") == doctest::Approx(kd_loss(z, t).item()).epsilon(1e-5));
  CHECK(value("kd") != doctest::Approx(kd_loss(slice_images(z, 0, 2), slice_images(t, 0, 2)).item()).epsilon(1e-4));
  CHECK(value("edge") > 0);
}

TEST_CASE("semi-supervised: a step of every method") {
  Generator g(5);
  Array image({2, 64, 64, 1}), ids({1, 64, 64, 1});
  normal()(image, g);
  class_ids(3)(ids, g);
  Batch batch;
  batch.image = to_tensor(image, Layout::dense, DType::f32).to(cpu_device());
  batch.label = to_tensor(ids, Layout::dense, DType::i32).to(cpu_device());
  for (const MethodInfo& info : methods()) {
    if (!info.make) continue;
    INFO(info.name);
    const auto teacher = make_network("fanet", {1, 3, 0.05, 0}), student = make_network("mobile_unet", {1, 3, 0.1, 0});
    teacher->initialise(1);
    student->initialise(2);
    const TapPair t = teacher->default_taps(), s = student->default_taps();
    const std::int64_t of_teacher = teacher->tap_channels(), of_student = student->tap_channels();
    Paraphrasers paraphrasers({{of_teacher, of_teacher, of_student}});
    paraphrasers.initialise(3);
    DistillationOptions o;
    o.vertex_weight = o.edge_weight = o.kd_weight = 0;
    o.teacher_taps = {t};
    o.student_taps = {s};
    o.method = make_method(
        info,
        {{t.shallow, of_teacher}, {t.deep, of_teacher}, {s.shallow, of_student}, {s.deep, of_student}, of_student, 3});
    o.method->initialise(4);
    DistillationTask task(*student, *teacher, &paraphrasers, o, [] { return Validation{}; }, {});
    Random random(1);
    const Objective objective = task.objective(batch, random);
    backward(objective.total());
    for (const TermReport& term : objective.report()) CHECK_MESSAGE(std::isfinite(term.value), term.name);
    for (const NamedTensor& p : student->parameters())
      if (p.tensor.grad())
        for (const float v : p.tensor.grad().to_vector()) REQUIRE(std::isfinite(v));
  }
}

TEST_CASE("a teacher that is wrong teaches no logits there, in the pictures that have labels") {
  const auto teacher = make_network("fanet", {1, 2, 0.05, 0}), student = make_network("mobile_unet", {1, 2, 0.1, 0});
  teacher->initialise(1);
  student->initialise(2);
  Batch batch;
  batch.image = Tensor::full({2, 32, 32, 1}, 0);
  for (std::int64_t i = 0; i < batch.image.count(); ++i)
    batch.image.mutable_data()[i] = static_cast<float>((i * 37) % 101) / 50 - 1;
  DistillationOptions o;
  o.vertex_weight = o.edge_weight = 0;
  o.mask_wrong_teacher = true;
  DistillationTask task(*student, *teacher, nullptr, o, [] { return Validation{}; }, {});
  Random random(1);
  const auto kd = [&](std::int64_t labelled, const Tensor& label) {
    batch.label = label;
    CHECK(label.shape().n == labelled);
    const std::vector<TermReport> terms = task.objective(batch, random).report();
    REQUIRE(terms.size() == 2);
    return terms[1].value;
  };
  const NoGrad off;
  const Tensor t = teacher->forward(batch.image, random).logits, right = argmax_channels(t);
  Tensor wrong = Tensor::empty(right.shape(), DType::i32);
  for (std::int64_t i = 0; i < right.count(); ++i)
    wrong.mutable_data<std::int32_t>()[i] = 1 - right.data<std::int32_t>()[i];
  const Tensor s = student->forward(batch.image, random).logits;
  const double all = kd_loss(s, t).item(), second = 0.5 * kd_loss(slice_images(s, 1, 1), slice_images(t, 1, 1)).item();
  CHECK(all > 0);
  CHECK(kd(2, right) == doctest::Approx(all).epsilon(1e-5));  // in one pass with the cross entropy
  CHECK(kd(2, wrong) == 0);
  CHECK(kd(1, slice_images(right, 0, 1)) == doctest::Approx(all).epsilon(1e-5));  // apart from it
  CHECK(kd(1, slice_images(wrong, 0, 1)) == doctest::Approx(second).epsilon(1e-5));
}

TEST_CASE("semi-supervised: a run goes through the trainer and resumes to the same bits") {
  const TemporaryFolder data, run;
  write_discs(data.path(), 24, 32);
  Dataset d = open_discs(data.path());
  keep_labels(d, 6, 1);
  for (Case& c : d.cases)
    if (c.split == Split::unlabelled) c.label.clear();
  const auto train = [&](std::int64_t steps, const std::string& resume, const std::string& split) {
    const auto teacher = make_network("fanet", {1, 2, 0.05, 0}), student = make_network("mobile_unet", {1, 2, 0.1, 0});
    teacher->initialise(1);
    student->initialise(2);
    DistillationOptions o;
    o.vertex_weight = o.edge_weight = 0;
    DistillationTask task(*student, *teacher, nullptr, o, [] { return Validation{}; }, {{"split", split}});
    LoaderOptions l;
    l.batch_size = 4;
    PairedLoader loader(d, l);
    TrainingObserver observer;
    TrainerOptions options;
    options.max_iterations = steps;
    options.schedule.name = "constant";
    options.checkpoints = run.path();
    run_training(task, loader, options, observer, resume);
    std::vector<float> weights;
    for (const NamedTensor& p : student->parameters())
      for (const float v : p.tensor.to_vector()) weights.push_back(v);
    return weights;
  };
  const std::vector<float> whole = train(7, {}, "a");
  train(3, {}, "a");
  CHECK(train(7, run.path() + "/latest.gfm", "a") == whole);
  train(3, {}, "a");
  CHECK_THROWS_WITH_AS(train(7, run.path() + "/latest.gfm", "b"), doctest::Contains("divided otherwise"), Error);
}
