#include "engine/ops/distillation_loss.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/label_check.h"
#include "engine/ops/shape.h"

namespace gf {

// Both losses are one result (1,1,1,2) on the tape, and dy its two upstream factors: dz = dy[0] dCE/dz + dy[1] dKD/dz.
// A loss that nobody differentiates has the factor 0.
DistillationLosses distillation_loss(const Tensor& student, const Tensor& teacher, const Tensor& label,
                                     const Tensor& class_weights, const DistillationLoss& p) {
  const OpScope scope("distillation_loss");
  const Tensor losses = Tensor::empty({1, 1, 1, 2}, DType::f32, student.device());
  const Tensor bad = Tensor::empty({}, DType::i32, student.device());
  const auto run = [p, z = student.detach(), teacher = teacher.detach(), label, class_weights](
                       const Tensor& upstream, const Tensor& losses, const Tensor& bad, const Tensor& dz) {
    const auto factor = [&](std::int64_t i) { return upstream ? upstream.view_channels(i, 1).view() : ConstView{}; };
    const auto loss = [&](std::int64_t i) { return losses.view_channels(i, 1).mutable_view(); };
    on(z.device(), [&](const auto& d) {
      distillation_loss(d, p, z.view(), teacher.view(), label.view(),
                        class_weights ? class_weights.view() : ConstView{}, factor(0), factor(1), loss(0), loss(1),
                        bad ? bad.mutable_view() : View{}, dz ? dz.mutable_view() : View{});
    });
  };
  run({}, losses, bad, {});
  check_labels({bad, label.shape(), student.shape().c});
  const Tensor both = record(
      "distillation_loss", losses, {student},
      [run, s = student.shape(), dtype = student.dtype()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
        const Tensor dz = Tensor::empty(s, dtype, dy.device());
        run(dy, Tensor::empty(dy.shape(), DType::f32, dy.device()), {}, dz);
        return {dz};
      },
      Differentiable::once);
  return {slice_channels(both, 0, 1), slice_channels(both, 1, 1)};
}

}  // namespace gf
