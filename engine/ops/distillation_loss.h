#pragma once
// Cross entropy with labels and logits distillation from a teacher as one op (kernels/distillation_loss.h has the
// formulas): the logits are read once for both losses, and one kernel makes their common gradient, also where only one
// of them is differentiated. Differentiable once. Labels as in losses.h.
#include "engine/tensor.h"
#include "kernels/distillation_loss.h"

namespace gf {

struct DistillationLosses {
  Tensor ce, kd;  // scalars
};

// The teacher's logits are constants. class_weights (1,1,1,classes) or empty.
DistillationLosses distillation_loss(const Tensor& student, const Tensor& teacher, const Tensor& label,
                                     const Tensor& class_weights = {}, const DistillationLoss& p = {});

}  // namespace gf
