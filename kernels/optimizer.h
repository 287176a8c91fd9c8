#pragma once
// Optimiser steps over flat float32 buffers (vectors (1,1,1,count), dense), one pass each; all buffers are updated in
// place and do not overlap. Formulas are PyTorch's, so a run can be compared step by step; settings are double for the
// same reason (1 - 0.999 in float32 is off by 1e-5 of itself). Bytes: SGD 12, with momentum 20, Adam 28 an element.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

struct SgdShape {
  double lr, momentum, weight_decay;  // weight decay is added to the gradient (L2)
  bool first_step;                    // momentum buffer is set to the gradient instead of updated
  bool nesterov = false;
};
// momentum_buffer.data may be null where momentum is 0.
void sgd_step(const Cpu&, const SgdShape&, ConstView gradient, View parameter, View momentum_buffer);

struct AdamShape {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;     // false: Adam, L2 added to the gradient; true: AdamW, parameter *= 1 - lr * weight_decay
  std::int64_t step;  // 1 for the first step: bias correction
};
void adam_step(const Cpu&, const AdamShape&, ConstView gradient, View parameter, View first_moment, View second_moment);

// Sum of squares of x (dense, any shape), accumulated in double in a fixed order.
double sum_of_squares(const Cpu&, ConstView x);

}  // namespace gf
