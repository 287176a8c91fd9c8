#include "engine/ops/salience.h"

#include "engine/autograd.h"

namespace gf {

// df scatters dv to the positions the patches came from
Tensor salience(const Tensor& map, const SalienceShape& p) {
  const Shape& s = map.shape();
  const Tensor positions = Tensor::empty({s.n, 1, 1, s.c}, DType::i32, map.device());
  const Tensor patches = Tensor::empty({s.n, 1, s.c, static_cast<std::int64_t>(p.k) * p.k}, DType::f32, map.device());
  on(map.device(),
     [&](const auto& d) { salience_forward(d, p, map.view(), positions.mutable_view(), patches.mutable_view()); });
  return record(
      "salience", patches, {map},
      [s, p, positions, dtype = map.dtype()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
        const Tensor df = Tensor::empty(s, dtype, dy.device());
        on(dy.device(),
           [&](const auto& d) { salience_backward(d, p, positions.view(), dy.view(), df.mutable_view()); });
        return {df};
      },
      Differentiable::once);
}

namespace {

// Vertex and edge loss come from one kernel but are two ops on the tape, each with its own upstream weight; the
// backward of one runs the kernel with the other's weight at zero.
Tensor record_term(const char* name, const Tensor& loss, bool is_edge, const std::vector<Tensor>& student,
                   const std::vector<Tensor>& teacher, const VariationGraphShape& p) {
  return record(
      name, loss, student,
      [is_edge, teacher, p, s = student[0].detach(), t = student[1].detach()](const Tensor& dy, const Needs&) {
        const Tensor zero = Tensor::scalar(0.0f, dy.device());
        std::vector<Tensor> g{Tensor::empty(s.shape(), DType::f32, dy.device()),
                              Tensor::empty(t.shape(), DType::f32, dy.device())};
        on(dy.device(), [&](const auto& d) {
          variation_graph_backward(d, p, s.view(), t.view(), teacher[0].view(), teacher[1].view(),
                                   (is_edge ? zero : dy).view(), (is_edge ? dy : zero).view(), g[0].mutable_view(),
                                   g[1].mutable_view());
        });
        return g;
      },
      Differentiable::once);
}

}  // namespace

VariationGraphLoss variation_graph_loss(const Tensor& student_shallow, const Tensor& student_deep,
                                        const Tensor& teacher_shallow, const Tensor& teacher_deep,
                                        const VariationGraphShape& p) {
  const std::vector<Tensor> student{student_shallow, student_deep};
  const std::vector<Tensor> teacher{teacher_shallow.detach(), teacher_deep.detach()};
  const Tensor vertex = Tensor::empty({}, DType::f32, student_shallow.device());
  const Tensor edge = Tensor::empty({}, DType::f32, student_shallow.device());
  on(student_shallow.device(), [&](const auto& d) {
    variation_graph_forward(d, p, student[0].view(), student[1].view(), teacher[0].view(), teacher[1].view(),
                            vertex.mutable_view(), edge.mutable_view());
  });
  return {record_term("variation_graph_vertex", vertex, false, student, teacher, p),
          record_term("variation_graph_edge", edge, true, student, teacher, p)};
}

}  // namespace gf
