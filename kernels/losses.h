#pragma once
// Segmentation losses on logits z (n,h,w,C) float32, any pixel stride. Labels (n,h,w,1) i32: class ids, or
// ignore_index. Losses are (1,1,1,1) float32, accumulated in a fixed order, in double (CPU) or by threads in float32,
// by blocks pairwise, then in double (GPU). Gradients are assigned and multiplied by `upstream`, a (1,1,1,1) float32
// view. A label outside [0,C) that is not ignore_index is left out like an ignored one and counted: `bad_labels`,
// (1,1,1,1) i32 where the call runs (null data: not wanted), is assigned their number; the caller reports it. C is at
// most kMaxClasses. Logits of pixels left out have no influence, not even a NaN.
//
// The GPU bodies take logits (of mse: a and b) in float32 or bf16, gradients and both networks' logits in the same
// dtype; losses, sums, class weights and upstream stay float32. Nothing is read by the host.
// Least work: a loss reads its inputs once; a gradient reads them and is written once.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

constexpr std::int64_t kMaxClasses = 512;
constexpr int kNoIgnore = -1;  // no class is ignored (nor is -1 a bad label)

// Cross entropy, PyTorch's convention: sum_p w[y_p] * (-log softmax(z_p)[y_p]) / sum_p w[y_p] over pixels not ignored;
// 0 where every pixel is ignored. class_weights (1,1,1,C) or null data for ones.
void cross_entropy_forward(const Cpu&, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                           View loss, View bad_labels);
void cross_entropy_backward(const Cpu&, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                            ConstView upstream, View dz);

// Soft Dice loss (TransUNet's): p = softmax(z), t one-hot; per class, over every pixel of the batch not ignored,
//   dice_c = (2 sum p t + smooth) / (sum p^2 + sum t^2 + smooth);   loss = 1 - mean_c dice_c.
// sums (1,1,1,3*C) f32 scratch output: intersection, sum p^2, sum t^2 per class, kept for the backward.
void dice_loss_forward(const Cpu&, int ignore_index, float smooth, ConstView z, ConstView label, View loss, View sums,
                       View bad_labels);
void dice_loss_backward(const Cpu&, int ignore_index, float smooth, ConstView z, ConstView label, ConstView sums,
                        ConstView upstream, View dz);

// Which pixels a distillation counts: all, or, where `label` has data, those where the teacher is not wrong. Labels are
// (m,h,w,1) i32 of the first m of the n pictures. The teacher is wrong where another class's logit is larger than that
// of the pixel's class. A pixel without a class counts: of a picture beyond the first m, ignored, or out of range.
struct TeacherCheck {
  ConstView label;
  int ignore_index = kNoIgnore;
};

// Logits distillation (method 4): tau^2 * KL(softmax(teacher/tau) || softmax(student/tau)),
// divided by n*h*w*C (`element_mean`, the released code's) or by n*h*w (pixel mean). A pixel that does not count adds
// nothing and has no gradient; the divisor counts it all the same, so that no pixel's weight depends on the others.
void kd_loss_forward(const Cpu&, float tau, bool element_mean, ConstView student, ConstView teacher, View loss,
                     const TeacherCheck& check = {});
void kd_loss_backward(const Cpu&, float tau, bool element_mean, ConstView student, ConstView teacher,
                      ConstView upstream, View d_student, const TeacherCheck& check = {});

// Mean squared error: mean over all elements of (a - b)^2; da = upstream * 2 (a - b) / count.
void mse_forward(const Cpu&, ConstView a, ConstView b, View loss);
void mse_backward(const Cpu&, ConstView a, ConstView b, ConstView upstream, View da);

// The bodies of kernels/cuda/cross_entropy.cu, dice.cu, kd_loss.cu and mse.cu, compiled by the host compiler and by
// nvcc.
void cross_entropy_forward(const Simt&, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                           View loss, View bad_labels);
void cross_entropy_backward(const Simt&, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                            ConstView upstream, View dz);
void dice_loss_forward(const Simt&, int ignore_index, float smooth, ConstView z, ConstView label, View loss, View sums,
                       View bad_labels);
void dice_loss_backward(const Simt&, int ignore_index, float smooth, ConstView z, ConstView label, ConstView sums,
                        ConstView upstream, View dz);
void kd_loss_forward(const Simt&, float tau, bool element_mean, ConstView student, ConstView teacher, View loss,
                     const TeacherCheck& check = {});
void kd_loss_backward(const Simt&, float tau, bool element_mean, ConstView student, ConstView teacher,
                      ConstView upstream, View d_student, const TeacherCheck& check = {});
void mse_forward(const Simt&, ConstView a, ConstView b, View loss);
void mse_backward(const Simt&, ConstView a, ConstView b, ConstView upstream, View da);
void cross_entropy_forward(const Cuda&, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                           View loss, View bad_labels);
void cross_entropy_backward(const Cuda&, int ignore_index, ConstView z, ConstView label, ConstView class_weights,
                            ConstView upstream, View dz);
void dice_loss_forward(const Cuda&, int ignore_index, float smooth, ConstView z, ConstView label, View loss, View sums,
                       View bad_labels);
void dice_loss_backward(const Cuda&, int ignore_index, float smooth, ConstView z, ConstView label, ConstView sums,
                        ConstView upstream, View dz);
void kd_loss_forward(const Cuda&, float tau, bool element_mean, ConstView student, ConstView teacher, View loss,
                     const TeacherCheck& check = {});
void kd_loss_backward(const Cuda&, float tau, bool element_mean, ConstView student, ConstView teacher,
                      ConstView upstream, View d_student, const TeacherCheck& check = {});
void mse_forward(const Cuda&, ConstView a, ConstView b, View loss);
void mse_backward(const Cuda&, ConstView a, ConstView b, ConstView upstream, View da);

}  // namespace gf
