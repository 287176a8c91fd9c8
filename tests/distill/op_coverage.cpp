// As tests/models/op_coverage.cpp, for what the methods add: whatever op a step of theirs puts on the tape has a case
// whose derivatives are checked.
#include <doctest/doctest.h>

#include "distill/distillation.h"
#include "distill/paraphrase.h"
#include "engine/autograd.h"
#include "engine/optim/optimizer.h"
#include "tests/distill/method_step.h"

namespace gf::test {

TEST_CASE("every op in a step of every baseline has a gradient case, and the teacher stays as it is") {
  for (const MethodInfo& info : methods()) {
    if (!info.make) continue;
    INFO(info.name);
    const MethodStep step(info);
    const auto values = [](const Module& m) {
      std::vector<float> all;
      for (const auto& list : {m.parameters(), m.buffers()})
        for (const NamedTensor& t : list)
          for (const float v : t.tensor.to_vector()) all.push_back(v);
      return all;
    };
    const std::vector<float> teacher_before = values(*step.teacher), paraphrasers_before = values(step.paraphrasers);
    FlatParameters parameters(step.task->trained());
    Optimizer optimizer(parameters, {.name = "adamw"});
    Random random(4);
    const TapeObserver observer;
    parameters.zero_grad();
    const Objective objective = step.task->objective(random_batch(step.size()), random);
    CHECK(objective.terms().size() == 2 + info.terms.size());
    backward(objective.total());
    optimizer.step(1e-3);
    for (const float v : values(*step.student)) REQUIRE(std::isfinite(v));
    for (const NamedTensor& p : step.method->parameters()) CHECK(p.tensor.grad());
    CHECK(parameters.size() >= step.student->parameter_count() + step.method->parameter_count());
    CHECK(step.task->model().parameters().size() == step.student->parameters().size());
    CHECK(values(*step.teacher) == teacher_before);
    CHECK(values(step.paraphrasers) == paraphrasers_before);
    CHECK(ops_without_gradient_case(observer.ops()) == std::vector<std::string>{});
  }
}

TEST_CASE("every op in a step of every method has a gradient case") {
  const auto teacher = make_network("fanet", {.in_channels = 1, .classes = 3, .width = 0.1});
  const auto student = make_network("mobile_unet", {.in_channels = 1, .classes = 3, .width = 0.2});
  teacher->initialise(1);
  student->initialise(2);
  Paraphrasers paraphrasers({{teacher->tap_channels(), teacher->tap_channels(), student->tap_channels()}});
  paraphrasers.initialise(3);
  const Batch batch = random_batch(Discriminator::kSmallest);
  Random random(4);

  const TapeObserver observer;
  {
    ParaphraseTask task(paraphrasers, *teacher, {teacher->default_taps()}, nullptr, {});
    backward(task.objective(batch, random).total());
  }
  DistillationOptions options;
  options.supervised = {.ce = 0.5, .dice = 0.5};
  options.teacher_taps = {teacher->default_taps()};
  options.student_taps = {student->default_taps()};
  DistillationTask task(*student, *teacher, &paraphrasers, options, nullptr, {});
  backward(task.objective(batch, random).total());
  options.vertex_weight = options.edge_weight = 0;
  for (const AdversarialLoss loss : {AdversarialLoss::wgan_gp, AdversarialLoss::hinge})
    for (const Preprocess preprocess : {Preprocess::tanh, Preprocess::batch_norm, Preprocess::bytes}) {
      options.adversarial = {.loss = loss, .conditional = true, .classes = 3, .preprocess = preprocess, .width = 0.05};
      DistillationTask adversarial(*student, *teacher, nullptr, options, nullptr, {});
      backward(adversarial.objective(batch, random).total());
      backward(adversarial.opponent()->turn(random).loss);
    }

  CHECK(observer.ops().count("variation_graph"));
  CHECK(observer.ops().count("distillation_loss"));
  CHECK(observer.ops().count("mse_loss"));
  CHECK(observer.ops().count("piecewise_linear_backward"));
  CHECK(ops_without_gradient_case(observer.ops()) == std::vector<std::string>{});
}

}  // namespace gf::test
