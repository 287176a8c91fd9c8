#include "distill/distillation.h"

#include "engine/autograd.h"
#include "engine/io/checkpoint.h"
#include "engine/memory.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/distillation_loss.h"
#include "engine/ops/losses.h"
#include "engine/ops/shape.h"
#include "kernels/error.h"

namespace gf {

DistillationTask::DistillationTask(Network& student, Network& teacher, Paraphrasers* paraphrasers,
                                   DistillationOptions options, std::function<Validation()> validate,
                                   std::map<std::string, std::string> description)
    : student_(student),
      teacher_(teacher),
      paraphrasers_(paraphrasers),
      options_(std::move(options)),
      validate_(std::move(validate)),
      description_(std::move(description)) {
  teacher_.to(student_.device());
  teacher_.eval();
  teacher_.freeze(options_.fold_bf16);
  options_.supervised.to(student_.device());
  if (options_.adversarial.weight != 0)
    adversary_ = std::make_unique<Adversary>(options_.adversarial, student_.device());
  weights_ = std::make_unique<TermWeights>(configured_weights(), linear_ramp(options_.warmup_steps),
                                           options_.auto_weights, student_.device());
  trained_.adopt("", student_);
  trained_.adopt(kBeside, *weights_);
  if (options_.method) {
    options_.method->to(student_.device());
    trained_.adopt(kBeside, *options_.method);
    if (graph_on() || options_.kd_weight != 0)
      fail("two distillation methods at once", "graph_flow and " + options_.method->info().name, "one",
           "weights of both", "set those of graph_flow to 0");
  }
  if (factors_on() && !paraphrasers_)
    throw Error(ErrorKind::usage,
                {(options_.method ? options_.method->info().name : "Graph Flow") + " needs the paraphrasers",
                 "distill.paraphrasers", "a file made by graphflow paraphrase", "none",
                 "run graphflow paraphrase first, or set distill.graph.vertex_weight and edge_weight to 0"});
  check_taps();
  if (!factors_on()) return;
  paraphrasers_->to(student_.device());
  paraphrasers_->eval();
  paraphrasers_->freeze();
}

std::vector<TermWeight> DistillationTask::configured_weights() const {
  std::vector<TermWeight> list{
      {"vertex", options_.vertex_weight}, {"edge", options_.edge_weight}, {"kd", options_.kd_weight}};
  if (options_.method) {
    list.clear();
    for (std::size_t i = 0; i < options_.method->weights().size(); ++i)
      list.push_back({options_.method->info().terms[i].name, options_.method->weights()[i]});
  }
  list.push_back({"adv", options_.adversarial.weight});
  return list;
}

void DistillationTask::check_taps() const {
  if (!options_.method && !graph_on()) return;
  const std::size_t teacher = options_.teacher_taps.size(), student = options_.student_taps.size();
  if (teacher == 0 || teacher != student)
    fail("taps of teacher and student do not match", "distill.teacher_taps and student_taps",
         "as many pairs, one at least", std::to_string(teacher) + " and " + std::to_string(student));
  if (graph_on() && paraphrasers_ && paraphrasers_->size() < teacher)
    throw Error(
        ErrorKind::usage,
        {"too few paraphrasers", "distill.paraphrasers", std::to_string(teacher) + " pairs, as many as the layers",
         std::to_string(paraphrasers_->size()), "run graphflow paraphrase with this distill.graph.layers"});
}

DistillationTask::TeacherOutput DistillationTask::teach(const Tensor& image) {
  const NoGrad off;
  const MemoryTag tag("teacher");
  Random unused;  // a frozen teacher in evaluation mode drops nothing
  const NetworkOutput out = run_network(teacher_, image, unused, options_.supervised.activations);
  TeacherOutput t{out.logits, {}, {}};
  const auto maps = [&](std::size_t i) {
    return TapMaps{out.tap(options_.teacher_taps[i].shallow), out.tap(options_.teacher_taps[i].deep)};
  };
  const auto encoded = [&](std::size_t i) {
    const TapMaps m = maps(i);
    const ParaphraserPair& p = paraphrasers_->pair(i);
    return TapMaps{p.shallow.encode(m.shallow), p.deep.encode(m.deep)};
  };
  if (graph_on())
    for (std::size_t i = 0; i < options_.teacher_taps.size(); ++i) t.factors.push_back(encoded(i));
  if (!options_.method) return t;
  const auto single = [](const TapMaps& m) { return TapMaps{cast(m.shallow, DType::f32), cast(m.deep, DType::f32)}; };
  t.taps = single(maps(0));
  if (factors_on()) t.factors.push_back(single(encoded(0)));
  return t;
}

Objective DistillationTask::objective(const Batch& batch, Random& random) {
  const TeacherOutput teacher = teach(batch.image);
  const NetworkOutput student = run_network(student_, batch.image, random, options_.supervised.activations);
  Objective objective;
  // Labels speak of the first pictures (data/batch_source.h), the teacher of all.
  const std::int64_t labelled = batch.label.shape().n;
  const bool all_labelled = labelled == batch.image.shape().n;
  DistillationLosses fused;  // cross entropy and distillation from one pass over the logits, where both are wanted
  if (all_labelled && options_.supervised.ce != 0 && options_.kd_weight != 0)
    fused = distillation_loss(
        student.logits, teacher.logits, batch.label, options_.supervised.class_weights,
        {options_.supervised.ignore_index, options_.kd_tau, options_.kd_element_mean, options_.mask_wrong_teacher});
  add_supervised_terms(objective, options_.supervised,
                       all_labelled ? student.logits : slice_images(student.logits, 0, labelled), batch.label,
                       fused.ce);
  std::vector<RawTerm> terms;
  if (fused.kd)
    terms.push_back({"kd", fused.kd});
  else if (options_.kd_weight != 0)
    terms.push_back(
        {"kd", kd_loss(student.logits, teacher.logits, options_.kd_tau, options_.kd_element_mean,
                       options_.mask_wrong_teacher ? batch.label : Tensor(), options_.supervised.ignore_index)});
  if (graph_on()) add_graph_flow_terms(terms, student, teacher);
  if (options_.method) add_method_terms(terms, student, teacher, batch, random);
  if (adversary_) terms.push_back({"adv", adversary_->generator_term(batch.image, teacher.logits, student.logits)});
  weights_->add_to(objective, terms, student_.parameters());
  return objective;
}

void DistillationTask::add_graph_flow_terms(std::vector<RawTerm>& terms, const NetworkOutput& student,
                                            const TeacherOutput& teacher) const {
  VariationGraphLoss sum;
  const auto add = [](Tensor& to, const Tensor& term) { to = to ? to + term : term; };
  for (std::size_t i = 0; i < options_.student_taps.size(); ++i) {
    const TapPair& taps = options_.student_taps[i];
    const TapMaps& factors = teacher.factors[i];
    const VariationGraphLoss graph = graph_flow_loss({student.tap(taps.shallow), student.tap(taps.deep)},
                                                     {factors.shallow, factors.deep}, options_.graph);
    add(sum.vertex, graph.vertex);
    add(sum.edge, graph.edge);
  }
  terms.push_back({"vertex", sum.vertex});
  terms.push_back({"edge", sum.edge});
}

void DistillationTask::add_method_terms(std::vector<RawTerm>& terms, const NetworkOutput& student,
                                        const TeacherOutput& teacher, const Batch& batch, Random& random) const {
  const Method& method = *options_.method;
  const TapPair& taps = options_.student_taps.front();
  const MethodInput in{
      .teacher = teacher.taps,
      .student = {cast(student.tap(taps.shallow), DType::f32), cast(student.tap(taps.deep), DType::f32)},
      .factors = teacher.factors.empty() ? TapMaps{} : teacher.factors.front(),
      .teacher_logits = teacher.logits,
      .student_logits = student.logits,
      .label = batch.label,
      .ignore_index = options_.supervised.ignore_index,
      .random = random};
  const std::vector<Tensor> values = method.terms(in);
  for (std::size_t i = 0; i < values.size(); ++i) terms.push_back({method.info().terms[i].name, values[i]});
}

}  // namespace gf
