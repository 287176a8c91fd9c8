#include "engine/ops/arithmetic.h"
#include "engine/ops/distillation_loss.h"
#include "engine/ops/losses.h"
#include "engine/ops/salience.h"
#include "tests/harness/op_case.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

Shape label_shape(const Shape& z) { return {z.n, z.h, z.w, 1}; }

OpCase cross_entropy_case(const Shape& z, bool weights, int ignore_index, Fill label, const std::string& note = {}) {
  std::vector<Input> inputs{in(z, normal(2)), labels(label_shape(z), std::move(label))};
  if (weights) {
    inputs.push_back(float32(fixed({1, 1, 1, z.c}, uniform(0.2, 2))));
    inputs.back().dense = true;
  }
  return {.op = "cross_entropy",
          .variant = text(z) + (weights ? ", class weights" : "") + ", ignore " + std::to_string(ignore_index) + note,
          .inputs = inputs,
          .run = [=](const Tensors& x) { return cross_entropy(x[0], x[1], weights ? x[2] : Tensor(), ignore_index); },
          .reference =
              [=](const Arrays& x) {
                return reference::cross_entropy(x[0], x[1], weights ? &x[2] : nullptr, ignore_index);
              },
          .order = 1};
}

OpCase dice_case(const Shape& z, int ignore_index, float smooth, Fill label, const std::string& note = {}) {
  return {
      .op = "dice_loss",
      .variant = text(z) + ", ignore " + std::to_string(ignore_index) + ", smooth " + std::to_string(smooth) + note,
      .inputs = {in(z, normal(2)), labels(label_shape(z), std::move(label))},
      .run = [=](const Tensors& x) { return dice_loss(x[0], x[1], ignore_index, smooth); },
      .reference =
          [=](const Arrays& x) { return reference::dice_loss(x[0], x[1], ignore_index, static_cast<double>(smooth)); },
      .order = 1};
}

OpCase kd_case(const Shape& z, float tau, bool element_mean) {
  return {.op = "kd_loss",
          .variant = text(z) + ", tau " + std::to_string(tau) + (element_mean ? ", element mean" : ", pixel mean"),
          .inputs = {in(z, normal(2)), fixed(z, normal(2))},
          .run = [=](const Tensors& x) { return kd_loss(x[0], x[1], tau, element_mean); },
          .reference =
              [=](const Arrays& x) { return reference::kd_loss(x[0], x[1], static_cast<double>(tau), element_mean); },
          .order = 1};
}

// Without the pixels where the teacher is wrong; the last picture has no labels.
OpCase kd_of_right_teacher_case(const Shape& z, float tau, bool element_mean, int ignore_index, Fill label) {
  OpCase c = kd_case(z, tau, element_mean);
  c.variant += ", of a right teacher";
  c.inputs.push_back(labels({z.n - 1, z.h, z.w, 1}, std::move(label)));
  c.run = [=](const Tensors& x) { return kd_loss(x[0], x[1], tau, element_mean, x[2], ignore_index); };
  c.reference = [=](const Arrays& x) {
    return reference::kd_loss(x[0], x[1], static_cast<double>(tau), element_mean, &x[2], ignore_index);
  };
  return c;
}

// Each of the two losses alone, and both with factors of their own.
void add_distillation(OpCases& cases, const Shape& z, const DistillationLoss& p, bool weights, Fill label) {
  std::vector<Input> inputs{in(z, normal(2)), fixed(z, normal(2)), labels(label_shape(z), std::move(label))};
  if (weights) {
    inputs.push_back(float32(fixed({1, 1, 1, z.c}, uniform(0.2, 2))));
    inputs.back().dense = true;
  }
  const std::pair<const char*, std::pair<float, float>> factors[] = {
      {", ce", {1.0f, 0.0f}}, {", kd", {0.0f, 1.0f}}, {", both", {0.7f, -1.3f}}};
  for (const auto& [name, factor] : factors) {
    const auto [ce, kd] = factor;
    cases.push_back(
        {.op = "distillation_loss",
         .variant = text(z) + (weights ? ", class weights" : "") + ", ignore " + std::to_string(p.ignore_index) +
                    ", tau " + std::to_string(p.tau) + (p.element_mean ? ", element mean" : ", pixel mean") +
                    (p.skip_wrong ? ", of a right teacher" : "") + name,
         .inputs = inputs,
         .run =
             [=, ce = ce, kd = kd](const Tensors& x) {
               const DistillationLosses both = distillation_loss(x[0], x[1], x[2], weights ? x[3] : Tensor(), p);
               return kd == 0 ? both.ce : ce == 0 ? both.kd : ce * both.ce + kd * both.kd;
             },
         .reference =
             [=, ce = static_cast<double>(ce), kd = static_cast<double>(kd)](const Arrays& x) {
               Array y = reference::cross_entropy(x[0], x[2], weights ? &x[3] : nullptr, p.ignore_index);
               y.v[0] = ce * y.v[0] + kd * reference::kd_loss(x[0], x[1], static_cast<double>(p.tau), p.element_mean,
                                                              p.skip_wrong ? &x[2] : nullptr, p.ignore_index)
                                               .v[0];
               return y;
             },
         .order = 1,
         // the losses of a single pixel can be about 0
         .tolerance = z.pixels() == 1 ? 1e-4 : 1e-5});
  }
}

}  // namespace

OpCases loss_cases() {
  OpCases cases;
  const Shape sizes[] = {{2, 3, 4, 2}, {1, 5, 3, 9}, {2, 3, 3, 33}, {1, 31, 33, 3}, {1, 1, 1, 2}};
  for (const Shape& z : sizes) {
    const int classes = static_cast<int>(z.c);
    for (const bool weights : {false, true}) {
      cases.push_back(cross_entropy_case(z, weights, kNoIgnore, class_ids(classes)));
      cases.push_back(cross_entropy_case(z, weights, 255, class_ids_or(classes, 255)));
      cases.push_back(cross_entropy_case(z, weights, 0, class_ids(classes), ", a class is ignored"));
    }
    cases.push_back(dice_case(z, kNoIgnore, 1e-5f, class_ids(classes)));
    cases.push_back(dice_case(z, 255, 1.0f, class_ids_or(classes, 255)));
    for (const bool element_mean : {true, false}) {
      cases.push_back(kd_case(z, 1.0f, element_mean));
      cases.push_back(kd_case(z, 4.0f, element_mean));
    }
    for (const bool weights : {false, true}) {
      add_distillation(cases, z, {kNoIgnore, 1.0f, weights}, weights, class_ids(classes));
      add_distillation(cases, z, {255, 4.0f, !weights}, weights, class_ids_or(classes, 255));
    }
    if (z.pixels() > 1) add_distillation(cases, z, {255, 4.0f, true, true}, true, class_ids_or(classes, 255));
    if (z.n > 1) cases.push_back(kd_of_right_teacher_case(z, 2.0f, z.c > 9, 255, class_ids_or(classes, 255)));
    cases.push_back({.op = "mse_loss",
                     .variant = text(z),
                     .inputs = {in(z), fixed(z)},
                     .run = [](const Tensors& x) { return mse_loss(x[0], x[1]); },
                     .reference = [](const Arrays& x) { return reference::mse_loss(x[0], x[1]); },
                     .order = 1});
  }
  cases.push_back(cross_entropy_case({1, 2, 3, 4}, true, 255, constant(255), ", every pixel is ignored"));
  add_distillation(cases, {1, 2, 3, 4}, {255, 1.0f, false}, true, constant(255));
  cases.push_back(dice_case({1, 4, 5, 4}, kNoIgnore, 1e-5f, class_ids(2), ", classes without a pixel"));
  cases.push_back(dice_case({1, 2, 3, 4}, 255, 1e-5f, constant(255), ", every pixel is ignored"));
  return cases;
}

namespace {

OpCase salience_case(const Shape& s, const SalienceShape& p) {
  return {
      .op = "salience",
      .variant = text(s) + ", k " + std::to_string(p.k) + (p.mode == SalienceMode::peak ? ", peak" : ", window") +
                 (p.absolute ? ", absolute" : ""),
      // Values of either sign are a third of a step from each other's size, so that absolute peaks are distinct too.
      .inputs = {in(s, p.mode == SalienceMode::peak ? spaced(0.03) : normal(3))},
      .run = [=](const Tensors& x) { return salience(x[0], p); },
      .reference = [=](const Arrays& x) { return reference::salience(x[0], p); },
      .order = 1};
}

// Salience matrices of student and teacher, shallow and deep: C channels, D = k*k values each.
void add_variation(OpCases& cases, std::int64_t n, std::int64_t channels, std::int64_t values,
                   const VariationGraphShape& p) {
  const Shape s{n, 1, channels, values};
  const char* edges = p.edges == EdgeMode::gram ? "gram" : p.edges == EdgeMode::variation ? "variation" : "distance";
  const std::string name = text(s) + ", " + edges + (p.reduction == GraphReduction::sum ? ", sum" : ", mean");
  const std::vector<Input> inputs{float32(in(s)), float32(in(s)), float32(fixed(s)), float32(fixed(s))};
  const auto loss = [=](const Tensors& x) { return variation_graph_loss(x[0], x[1], x[2], x[3], p); };
  const auto add = [&](const char* which, std::function<Tensor(const VariationGraphLoss&)> of,
                       std::function<Array(const Array&, const Array&)> of_reference) {
    cases.push_back({.op = "variation_graph",
                     .variant = name + which,
                     .inputs = inputs,
                     .run = [=](const Tensors& x) { return of(loss(x)); },
                     .reference =
                         [=](const Arrays& x) {
                           return of_reference(reference::variation_vertex(x[0], x[1], x[2], x[3], p.reduction),
                                               reference::variation_edge(x[0], x[1], x[2], x[3], p));
                         },
                     .order = 1});
  };
  add(
      ", vertex", [](const auto& l) { return l.vertex; }, [](const Array& vertex, const Array&) { return vertex; });
  add(
      ", edge", [](const auto& l) { return l.edge; }, [](const Array&, const Array& edge) { return edge; });
  add(
      ", both", [](const auto& l) { return 0.9f * l.vertex + 0.1f * l.edge; },
      [](Array vertex, const Array& edge) {
        vertex.v[0] = static_cast<double>(0.9f) * vertex.v[0] + static_cast<double>(0.1f) * edge.v[0];
        return vertex;
      });
}

}  // namespace

OpCases graph_cases() {
  OpCases cases;
  for (const SalienceMode mode : {SalienceMode::peak, SalienceMode::window})
    for (const bool absolute : {false, true}) {
      for (const int k : {1, 3, 5}) cases.push_back(salience_case({2, 5, 7, 5}, {k, mode, absolute}));
      cases.push_back(salience_case({1, 4, 3, 33}, {3, mode, absolute}));
      cases.push_back(salience_case({2, 9, 31, 1}, {3, mode, absolute}));
      cases.push_back(salience_case({1, 1, 1, 31}, {3, mode, absolute}));
    }
  for (const EdgeMode edges : {EdgeMode::gram, EdgeMode::variation, EdgeMode::distance})
    for (const GraphReduction reduction : {GraphReduction::sum, GraphReduction::mean}) {
      add_variation(cases, 2, 5, 9, {edges, reduction});
      add_variation(cases, 1, 1, 1, {edges, reduction});
      add_variation(cases, 1, 31, 9, {edges, reduction});
      add_variation(cases, 2, 33, 1, {edges, reduction});
      add_variation(cases, 1, 4, 25, {edges, reduction});
    }
  return cases;
}

}  // namespace gf::test
