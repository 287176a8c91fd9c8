#pragma once
// Optimiser steps over flat float32 buffers (vectors (1,1,1,count), dense), one pass each; all buffers are updated in
// place and do not overlap. Formulas are PyTorch's, so a run can be compared step by step; settings are double for the
// same reason (1 - 0.999 in float32 is off by 1e-5 of itself). Bytes: SGD 12, with momentum 20, Adam 28 an element, a
// shadow 2 more. On the GPU nothing is read back, so that a step can be part of a captured graph.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

// Numbers of a step that live on the device, for steps that are captured once and replayed. A view without data leaves
// the number to the shape. Reading them costs a launch of one thread.
struct StepScalars {
  ConstView lr;    // float32 scalar: the learning rate
  ConstView step;  // int32 scalar: which step this is, from 1; decides SGD's first_step too. Not checked
  // float32 scalar: the norm of all gradients. Where it is not finite the step is left out: every buffer stays as it
  // is. Gradients are scaled by min(1, clip_norm / (norm + 1e-6)), the rule of PyTorch's clip_grad_norm_.
  ConstView gradient_norm;
  float clip_norm = 0;  // 0: not scaled
};

struct SgdShape {
  double lr, momentum, weight_decay;  // weight decay is added to the gradient (L2)
  bool first_step;                    // momentum buffer is set to the gradient instead of updated
  bool nesterov = false;
};
// momentum_buffer.data may be null where momentum is 0. `shadow`, where it has data, is assigned the new parameters
// rounded to bf16.
void sgd_step(const Cpu&, const SgdShape&, ConstView gradient, View parameter, View momentum_buffer,
              const StepScalars& scalars = {}, View shadow = {});

struct AdamShape {
  double lr, beta1, beta2, eps, weight_decay;
  bool decoupled;     // false: Adam, L2 added to the gradient; true: AdamW, parameter *= 1 - lr * weight_decay
  std::int64_t step;  // 1 for the first step: bias correction; not read where scalars.step has data
};
void adam_step(const Cpu&, const AdamShape&, ConstView gradient, View parameter, View first_moment, View second_moment,
               const StepScalars& scalars = {}, View shadow = {});

// step += 1, an int32 scalar
void advance_step(const Cpu&, View step);

// average = decay * average + (1 - decay) * parameter, both flat float32 buffers. 12 bytes an element. `on_device`,
// where it has data, is a float32 scalar that is read in place of `decay`, for steps that are captured once and
// replayed.
void ema_step(const Cpu&, float decay, ConstView parameter, View average, ConstView on_device = {});

// norm = sqrt(sum of x^2), a float32 scalar. x is dense, of any shape. The sum is accumulated in double in a fixed
// order; the GPU squares in float32, so elements beyond 1e19 make it infinite.
void gradient_norm(const Cpu&, ConstView x, View norm);

// Sum of squares of x (dense, any shape), accumulated in double in a fixed order.
double sum_of_squares(const Cpu&, ConstView x);

// The bodies of kernels/cuda/optimizer.cu and gradient_norm.cu, compiled by the host compiler and by nvcc.
void sgd_step(const Simt&, const SgdShape&, ConstView gradient, View parameter, View momentum_buffer,
              const StepScalars& scalars = {}, View shadow = {});
void adam_step(const Simt&, const AdamShape&, ConstView gradient, View parameter, View first_moment, View second_moment,
               const StepScalars& scalars = {}, View shadow = {});
void advance_step(const Simt&, View step);
void ema_step(const Simt&, float decay, ConstView parameter, View average, ConstView on_device = {});
void gradient_norm(const Simt&, ConstView x, View norm);
void sgd_step(const Cuda&, const SgdShape&, ConstView gradient, View parameter, View momentum_buffer,
              const StepScalars& scalars = {}, View shadow = {});
void adam_step(const Cuda&, const AdamShape&, ConstView gradient, View parameter, View first_moment, View second_moment,
               const StepScalars& scalars = {}, View shadow = {});
void advance_step(const Cuda&, View step);
void ema_step(const Cuda&, float decay, ConstView parameter, View average, ConstView on_device = {});
void gradient_norm(const Cuda&, ConstView x, View norm);

}  // namespace gf
