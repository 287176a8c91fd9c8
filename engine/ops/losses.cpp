#include "engine/ops/losses.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/cast.h"
#include "engine/ops/label_check.h"

namespace gf {
namespace {

// A loss whose backward is one kernel: dz = upstream * dL/dz.
template <class Kernel>
Tensor record_loss(const char* name, const Tensor& loss, const Tensor& z, Kernel kernel) {
  return record(
      name, loss, {z},
      [kernel, z = z.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
        const Tensor dz = Tensor::empty(z.shape(), z.dtype(), z.device());
        on(z.device(), [&](const auto& d) { kernel(d, z.view(), dy.view(), dz.mutable_view()); });
        return {dz};
      },
      Differentiable::once);
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& label, const Tensor& class_weights, int ignore_index) {
  const OpScope scope("cross_entropy");
  const Tensor loss = Tensor::empty({}, DType::f32, logits.device());
  const auto weights = [class_weights] { return class_weights ? class_weights.view() : ConstView{}; };
  const Tensor bad = Tensor::empty({}, DType::i32, logits.device());
  on(logits.device(), [&](const auto& d) {
    cross_entropy_forward(d, ignore_index, logits.view(), label.view(), weights(), loss.mutable_view(),
                          bad.mutable_view());
  });
  check_labels({bad, label.shape(), logits.shape().c});
  return record_loss("cross_entropy", loss, logits, [=](const auto& d, ConstView z, ConstView dy, View dz) {
    cross_entropy_backward(d, ignore_index, z, label.view(), weights(), dy, dz);
  });
}

Tensor dice_loss(const Tensor& logits, const Tensor& label, int ignore_index, float smooth) {
  const OpScope scope("dice_loss");
  const Tensor loss = Tensor::empty({}, DType::f32, logits.device());
  const Tensor sums = Tensor::empty({1, 1, 1, 3 * logits.shape().c}, DType::f32, logits.device());
  const Tensor bad = Tensor::empty({}, DType::i32, logits.device());
  on(logits.device(), [&](const auto& d) {
    dice_loss_forward(d, ignore_index, smooth, logits.view(), label.view(), loss.mutable_view(), sums.mutable_view(),
                      bad.mutable_view());
  });
  check_labels({bad, label.shape(), logits.shape().c});
  return record_loss("dice_loss", loss, logits, [=](const auto& d, ConstView z, ConstView dy, View dz) {
    dice_loss_backward(d, ignore_index, smooth, z, label.view(), sums.view(), dy, dz);
  });
}

Tensor kd_loss(const Tensor& student, const Tensor& teacher, float tau, bool element_mean, const Tensor& label,
               int ignore_index) {
  const OpScope scope("kd_loss");
  require_one_dtype("kd_loss", student, teacher);
  const Tensor loss = Tensor::empty({}, DType::f32, student.device());
  const Tensor t = teacher.detach();
  const auto check = [=] { return TeacherCheck{label ? label.view() : ConstView{}, ignore_index}; };
  on(student.device(), [&](const auto& d) {
    kd_loss_forward(d, tau, element_mean, student.view(), t.view(), loss.mutable_view(), check());
  });
  return record_loss("kd_loss", loss, student, [=](const auto& d, ConstView z, ConstView dy, View dz) {
    kd_loss_backward(d, tau, element_mean, z, t.view(), dy, dz, check());
  });
}

Tensor mse_loss(const Tensor& a, const Tensor& b) {
  const OpScope scope("mse_loss");
  require_one_dtype("mse_loss", a, b);
  const Tensor loss = Tensor::empty({}, DType::f32, a.device());
  const Tensor target = b.detach();
  on(a.device(), [&](const auto& d) { mse_forward(d, a.view(), target.view(), loss.mutable_view()); });
  return record_loss("mse_loss", loss, a, [=](const auto& d, ConstView z, ConstView dy, View dz) {
    mse_backward(d, z, target.view(), dy, dz);
  });
}

}  // namespace gf
