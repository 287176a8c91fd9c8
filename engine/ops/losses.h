#pragma once
// Segmentation and distillation losses as fused ops (kernels/losses.h has the formulas). Float32 scalars of maps in
// float32 or bf16; differentiable once.
// Labels (n,h,w,1) i32 outside [0, classes) that are not ignore_index throw ErrorKind::bad_data with their count.
#include "engine/tensor.h"
#include "kernels/losses.h"

namespace gf {

// class_weights (1,1,1,classes) or empty.
Tensor cross_entropy(const Tensor& logits, const Tensor& label, const Tensor& class_weights = {},
                     int ignore_index = kNoIgnore);
Tensor dice_loss(const Tensor& logits, const Tensor& label, int ignore_index = kNoIgnore, float smooth = 1e-5f);
// The teacher's logits are constants. `label`, where there is one, is of the first pictures: pixels of it where the
// teacher is wrong are left out (TeacherCheck).
Tensor kd_loss(const Tensor& student, const Tensor& teacher, float tau = 1.0f, bool element_mean = true,
               const Tensor& label = {}, int ignore_index = kNoIgnore);
// b is a constant.
Tensor mse_loss(const Tensor& a, const Tensor& b);

}  // namespace gf
