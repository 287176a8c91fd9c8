#pragma once
// Segmentation losses on logits z (n,h,w,C) float32, any pixel stride. Labels (n,h,w,1) i32: class ids, or
// ignore_index. Losses are (1,1,1,1) float32, accumulated in double in a fixed order. Gradients are assigned and
// multiplied by `upstream`, a (1,1,1,1) view. A label outside [0,C) that is not ignore_index is left out like an
// ignored one and counted: `bad_labels` (on the host, may be null) is assigned their number; the caller reports it. C
// is at most 512. Logits of pixels left out are not read.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

constexpr int kNoIgnore = -1;  // no class is ignored (nor is -1 a bad label)

// Cross entropy, PyTorch's convention: sum_p w[y_p] * (-log softmax(z_p)[y_p]) / sum_p w[y_p] over pixels not ignored;
// 0 where every pixel is ignored. class_weights (1,1,1,C) or null data for ones.
void cross_entropy_forward(const Cpu&, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                           View loss, std::int64_t* bad_labels);
void cross_entropy_backward(const Cpu&, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                            ConstView upstream, View dz);

// Soft Dice loss (TransUNet's): p = softmax(z), t one-hot; per class, over every pixel of the batch not ignored,
//   dice_c = (2 sum p t + smooth) / (sum p^2 + sum t^2 + smooth);   loss = 1 - mean_c dice_c.
// sums (1,1,1,3*C) f32 scratch output: intersection, sum p^2, sum t^2 per class, kept for the backward.
void dice_loss_forward(const Cpu&, int ignore_index, float smooth, ConstView z, ConstView label, View loss, View sums,
                       std::int64_t* bad_labels);
void dice_loss_backward(const Cpu&, int ignore_index, float smooth, ConstView z, ConstView label, ConstView sums,
                        ConstView upstream, View dz);

// Logits distillation (method 4): tau^2 * KL(softmax(teacher/tau) || softmax(student/tau)),
// divided by n*h*w*C (`element_mean`, the released code's) or by n*h*w (pixel mean).
void kd_loss_forward(const Cpu&, float tau, bool element_mean, ConstView student, ConstView teacher, View loss);
void kd_loss_backward(const Cpu&, float tau, bool element_mean, ConstView student, ConstView teacher,
                      ConstView upstream, View d_student);

// Mean squared error: mean over all elements of (a - b)^2; da = upstream * 2 (a - b) / count.
void mse_forward(const Cpu&, ConstView a, ConstView b, View loss);
void mse_backward(const Cpu&, ConstView a, ConstView b, ConstView upstream, View da);

}  // namespace gf
