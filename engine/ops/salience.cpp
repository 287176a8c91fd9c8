#include "engine/ops/salience.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/shape.h"

namespace gf {

// df scatters dv to the positions the patches came from
Tensor salience(const Tensor& map, const SalienceShape& p) {
  const OpScope scope("salience");
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

// Both losses are one result (1,1,1,2) on the tape, and dy their two upstream factors: one kernel makes the gradient of
// both. A loss that nobody differentiates has the factor 0.
VariationGraphLoss variation_graph_loss(const Tensor& student_shallow, const Tensor& student_deep,
                                        const Tensor& teacher_shallow, const Tensor& teacher_deep,
                                        const VariationGraphShape& p) {
  const OpScope scope("variation_graph");
  const Tensor losses = Tensor::empty({1, 1, 1, 2}, DType::f32, student_shallow.device());
  const Tensor s0 = student_shallow.detach(), s1 = student_deep.detach(), t0 = teacher_shallow.detach(),
               t1 = teacher_deep.detach();
  on(losses.device(), [&](const auto& d) {
    variation_graph_forward(d, p, s0.view(), s1.view(), t0.view(), t1.view(), losses.view_channels(0, 1).mutable_view(),
                            losses.view_channels(1, 1).mutable_view());
  });
  const Tensor both = record(
      "variation_graph", losses, {student_shallow, student_deep},
      [=](const Tensor& dy, const Needs&) {
        std::vector<Tensor> g{Tensor::empty(s0.shape(), DType::f32, dy.device()),
                              Tensor::empty(s1.shape(), DType::f32, dy.device())};
        on(dy.device(), [&](const auto& d) {
          variation_graph_backward(d, p, s0.view(), s1.view(), t0.view(), t1.view(), dy.view_channels(0, 1).view(),
                                   dy.view_channels(1, 1).view(), g[0].mutable_view(), g[1].mutable_view());
        });
        return g;
      },
      Differentiable::once);
  return {slice_channels(both, 0, 1), slice_channels(both, 1, 1)};
}

}  // namespace gf
