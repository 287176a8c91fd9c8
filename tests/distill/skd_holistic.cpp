// Structured knowledge distillation with its holistic term: the method's two losses and the adversarial one in one
// step, the discriminator conditional on the picture, as in the original.
#include <doctest/doctest.h>

#include "distill/distillation.h"
#include "distill/step_runner.h"
#include "engine/autograd.h"
#include "engine/ops/shape.h"
#include "tests/harness/op_case.h"
#include "tests/harness/weights.h"

namespace gf::test {
namespace {

constexpr std::int64_t kSide = 64;
constexpr int kClasses = 3;

Batch batch_number(std::int64_t number) {
  Generator g(static_cast<std::uint64_t>(number) + 1);
  Array image({2, kSide, kSide, 1}), ids(image.shape);
  normal()(image, g);
  class_ids(kClasses)(ids, g);
  const auto host = [](const Array& a, DType t) { return to_tensor(a, Layout::dense, t).to(cpu_device()); };
  Batch b;
  b.image = host(image, DType::f32);
  b.label = host(ids, DType::i32);
  return b;
}

struct Skd {
  std::unique_ptr<Network> teacher = make_network("fanet", {1, kClasses, 0.05, 0}),
                           student = make_network("mobile_unet", {1, kClasses, 0.1, 0});
  AdversarialOptions adversarial{
      .weight = 0.1, .conditional = true, .lr = 1e-3, .steps = 20, .classes = kClasses, .width = 0.05, .seed = 3};
  std::unique_ptr<DistillationTask> task;

  explicit Skd(const Device& device) {
    teacher->initialise(1);
    student->initialise(2);
    student->to(device);
    const TapPair t = teacher->default_taps(), s = student->default_taps();
    const std::int64_t of_teacher = teacher->tap_channels(), of_student = student->tap_channels();
    DistillationOptions o;
    o.supervised = {.ce = 1};
    o.vertex_weight = o.edge_weight = o.kd_weight = 0;
    o.teacher_taps = {t};
    o.student_taps = {s};
    o.adversarial = adversarial;
    o.method = make_method(
        find_method("skd"),
        {{t.shallow, of_teacher}, {t.deep, of_teacher}, {s.shallow, of_student}, {s.deep, of_student}, 0, kClasses});
    task = std::make_unique<DistillationTask>(*student, *teacher, nullptr, o, nullptr,
                                              std::map<std::string, std::string>{});
  }
};

struct Trace {
  std::vector<double> losses;
  std::vector<float> student, discriminator;
  std::vector<std::string> watched;
  bool captured = false;
};

Trace train(const Device& device, StepGraphMode graph) {
  Skd skd(device);
  Random random(7);
  StepRunner runner(*skd.task, {.name = "adamw", .lr = 1e-3}, {.graph = graph}, random);
  Trace t;
  for (std::int64_t step = 0; step < 5; ++step) {
    runner.run({batch_number(step)}, step, 1e-3, false);
    while (!runner.idle()) {
      const StepReport r = runner.report();
      t.losses.push_back(r.loss);
      t.watched.clear();
      for (const WatchedReport& w : r.watched) t.watched.push_back(w.name);
    }
  }
  t.student = weights_of(*skd.student);
  t.discriminator = weights_of(skd.task->opponent()->model());
  t.captured = runner.captured();
  return t;
}

}  // namespace

TEST_CASE("skd with its holistic term: both losses and the adversarial one of picture and logits") {
  Skd skd(cpu_device());
  const Batch batch = batch_number(0);
  Random random(1);
  const std::vector<TermReport> terms = skd.task->objective(batch, random).report();
  std::vector<std::string> names;
  for (const TermReport& t : terms) names.push_back(t.name);
  CHECK(names == std::vector<std::string>{"ce", "pixel", "pair", "adv"});
  Discriminator d({.channels = kClasses + 1, .width = 0.05});
  d.initialise(3, "discriminator");
  const NoGrad off;
  const Tensor z = skd.student->forward(batch.image, random).logits;
  CHECK(terms[3].value ==
        doctest::Approx(0.1 * generator_loss(d, concat_channels({batch.image, z})).item()).epsilon(1e-5));
  CHECK(terms[3].weight == 0.1);
}

TEST_CASE("skd with its holistic term: captured steps have the bits of steps run launch by launch") {
  const Trace plain = train(graph_device(), StepGraphMode::off), graph = train(graph_device(), StepGraphMode::on);
  CHECK(graph.captured);
  CHECK(plain.watched == std::vector<std::string>{"d_teacher", "d_student", "d_penalty"});
  CHECK(plain.losses == graph.losses);
  CHECK(same_bits(plain.student, graph.student));
  CHECK(same_bits(plain.discriminator, graph.discriminator));
}

}  // namespace gf::test
