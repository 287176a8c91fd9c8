#pragma once
// One step of the paraphrasers and one of a distillation, from fixed seeds, on any device and in any precision: what
// comes out is compared by the cases that include this.
#include "distill/distillation.h"
#include "distill/paraphrase.h"
#include "engine/autograd.h"
#include "engine/optim/optimizer.h"
#include "tests/distill/layer_pairs.h"
#include "tests/harness/golden.h"
#include "tests/harness/op_case.h"

namespace gf::test {

constexpr int kClasses = 3;

constexpr std::int64_t kSize = 64;

// What a step begins with, on the CPU.
struct Start {
  std::unique_ptr<Network> teacher, student;
  Batch batch;
};

inline Start start_with(const Array& image, const Array& ids, double teacher_width = 0.1) {
  Start s;
  s.teacher = make_network("fanet", {.in_channels = 1, .classes = kClasses, .width = teacher_width});
  s.student = make_network("mobile_unet", {.in_channels = 1, .classes = kClasses, .width = 0.2});
  s.teacher->initialise(1);
  s.student->initialise(2);
  s.batch.image = to_tensor(image, Layout::dense).to(cpu_device());
  s.batch.label = to_tensor(ids, Layout::dense, DType::i32).to(cpu_device());
  return s;
}

// Fresh networks, noise with random labels. `gain` multiplies the pictures.
inline Start random_start(double gain = 1) {
  Generator g(2);
  Array image({2, kSize, kSize, 1}), ids(image.shape);
  normal()(image, g);
  for (double& v : image.v) v *= gain;
  class_ids(kClasses)(ids, g);
  return start_with(image, ids);
}

// Rings around discs, and which pixels are which.
struct Rings {
  Array image{{2, kSize, kSize, 1}}, ids{image.shape};

  Rings() {
    Generator g(2);
    normal(0.3)(image, g);
    for_each_element(ids.shape, [&](auto n, auto h, auto w, auto c) {
      const double dy = static_cast<double>(h) / kSize - 0.35 - 0.3 * static_cast<double>(n);
      const double dx = static_cast<double>(w) / kSize - 0.6 + 0.2 * static_cast<double>(n);
      const double radius = std::hypot(dy, dx);
      ids.at(n, h, w, c) = radius < 0.12 ? 2 : radius < 0.3 ? 1 : 0;
      image.at(n, h, w, c) += ids.at(n, h, w, c) - 1;
    });
  }
};

inline void learn(Network& network, const Batch& batch, int steps) {
  SupervisedTask task(network, {.ce = 0.5, .dice = 0.5}, nullptr, {});
  FlatParameters parameters(network);
  Optimizer optimizer(parameters, {.name = "adamw"});
  Random random(1);
  for (int i = 0; i < steps; ++i) {
    parameters.zero_grad();
    backward(task.objective(batch, random).total());
    optimizer.step(3e-3);
  }
}

// Networks that have learnt the rings for `steps` steps: gradients of fresh networks are chaotic (rounding the weights
// alone to bf16 turns them into any direction), those of trained ones are not.
inline Start trained_start(int steps, double teacher_width = 0.1) {
  const Rings rings;
  Start s = start_with(rings.image, rings.ids, teacher_width);
  for (Network* network : {s.teacher.get(), s.student.get()}) learn(*network, s.batch, steps);
  return s;
}

inline void copy_weights(const Module& from, const Module& to) {
  for (const auto list : {&Module::parameters, &Module::buffers}) {
    const std::vector<NamedTensor> source = (from.*list)(), target = (to.*list)();
    for (std::size_t i = 0; i < source.size(); ++i) target[i].tensor.assign(source[i].tensor);
  }
}

struct Outcome {
  std::vector<TermReport> terms;
  std::vector<NamedTensor> gradients, after;  // of the student, on the CPU
  double gradient_norm = 0;
  std::vector<float> reconstruction;   // the paraphrasers' losses
  std::vector<float> masters, shadow;  // flat, after the optimiser; no shadow in float32
};

inline NamedTensor on_cpu(const NamedTensor& t, const Tensor& value) {
  return {t.name, value.to(cpu_device()), t.layout};
}

inline Outcome one_step(const Device& device, const DistillationOptions& settings, const Start& start,
                        std::size_t layers = 1) {
  const auto teacher = make_network("fanet", {.in_channels = 1, .classes = kClasses, .width = 0.1});
  const auto student = make_network("mobile_unet", {.in_channels = 1, .classes = kClasses, .width = 0.2});
  copy_weights(*start.teacher, *teacher);
  copy_weights(*start.student, *student);
  DistillationOptions options = settings;
  options.teacher_taps = first_pairs(*teacher, layers);
  options.student_taps = first_pairs(*student, layers);
  Paraphrasers paraphrasers(paraphraser_sizes(*teacher, *student, options.teacher_taps, options.student_taps));
  paraphrasers.initialise(3);
  for (Module* m :
       {static_cast<Module*>(teacher.get()), static_cast<Module*>(student.get()), static_cast<Module*>(&paraphrasers)})
    m->to(device);
  Batch batch;
  batch.image = start.batch.image.to(device);
  batch.label = start.batch.label.to(device);
  Random random(4);
  Outcome out;
  {
    ParaphraseTask task(paraphrasers, *teacher, options.teacher_taps, nullptr, {}, settings.supervised.activations);
    const Objective objective = task.objective(batch, random);
    backward(objective.total());
    for (const TermReport& t : objective.report()) out.reconstruction.push_back(static_cast<float>(t.value));
  }
  DistillationTask task(*student, *teacher, &paraphrasers, options, nullptr, {});
  FlatParameters parameters(*student, settings.supervised.activations == DType::bf16);
  Optimizer optimizer(parameters, {.name = "adamw", .lr = 1e-3, .weight_decay = 0.01});
  parameters.zero_grad();
  const Objective objective = task.objective(batch, random);
  backward(objective.total());
  out.terms = objective.report();
  for (const NamedTensor& p : student->parameters())
    if (const Tensor g = p.tensor.grad()) out.gradients.push_back(on_cpu(p, g));
  out.gradient_norm = parameters.gradient_norm();
  optimizer.step(1e-3);
  out.masters = parameters.values().to_vector();
  if (parameters.shadow()) out.shadow = parameters.shadow().to_vector();
  for (const NamedTensor& p : student->parameters()) out.after.push_back(on_cpu(p, p.tensor));
  for (const NamedTensor& b : student->buffers()) out.after.push_back(on_cpu(b, b.tensor));
  return out;
}

}  // namespace gf::test
