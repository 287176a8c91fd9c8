#pragma once
// Cross entropy with labels and logits distillation from a teacher, both losses of the same student logits z (n,h,w,C)
// and their common gradient, in one pass over the logits. Formulas, labels, dtypes and limits are those of
// kernels/losses.h (cross_entropy_*, kd_loss_*); the separate functions give the same numbers but for rounding.
//
//   ce_loss = CE(z, label),   kd_loss = KD(z, teacher)
//   dz = ce_upstream * dCE/dz + kd_upstream * dKD/dz
//
// Losses, upstream factors: (1,1,1,1) float32. class_weights (1,1,1,C) or null data for ones. Null data is allowed for
// the teacher (kd_loss is assigned 0, kd_upstream is not looked at), for dz (losses only, no upstream factor is looked
// at) and for bad_labels. Outputs are assigned; dz may be z's own memory. KD counts every pixel, also one whose label
// does not count; with `skip_wrong` those where the teacher is not wrong (TeacherCheck). Deterministic. The GPU bodies
// take z, teacher and dz in float32 or bf16, one dtype for all. Least work: z, teacher and labels read once, the labels
// once more for the sum of weights, dz written once.
#include "kernels/losses.h"

namespace gf {

struct DistillationLoss {
  int ignore_index = kNoIgnore;
  float tau = 1.0f;
  bool element_mean = false;  // KD divided by n*h*w*C, else by n*h*w
  bool skip_wrong = false;
};

void distillation_loss(const Cpu&, const DistillationLoss& p, ConstView z, ConstView teacher, ConstView label,
                       ConstView class_weights, ConstView ce_upstream, ConstView kd_upstream, View ce_loss,
                       View kd_loss, View bad_labels, View dz);

// The body of kernels/cuda/distillation_loss.cu, compiled by the host compiler and by nvcc.
void distillation_loss(const Simt&, const DistillationLoss& p, ConstView z, ConstView teacher, ConstView label,
                       ConstView class_weights, ConstView ce_upstream, ConstView kd_upstream, View ce_loss,
                       View kd_loss, View bad_labels, View dz);
void distillation_loss(const Cuda&, const DistillationLoss& p, ConstView z, ConstView teacher, ConstView label,
                       ConstView class_weights, ConstView ce_upstream, ConstView kd_upstream, View ce_loss,
                       View kd_loss, View bad_labels, View dz);

}  // namespace gf
