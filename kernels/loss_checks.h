#pragma once
// What all bodies of losses.h and distillation_loss.h have in common: their checks, and which labels count. The logits'
// dtype must be known to be one the body takes; other logits and gradients must have the same.
#include <algorithm>

#include "kernels/check.h"
#include "kernels/distillation_loss.h"
#include "kernels/host_device.h"

namespace gf {

// The class of a pixel, or -1 where it does not count.
GF_HOST_DEVICE inline int counted_class(std::int32_t label, int ignore_index, std::int64_t classes) {
  return label == ignore_index || label < 0 || label >= classes ? -1 : label;
}

// A label that is neither a class nor the one to ignore.
GF_HOST_DEVICE inline bool is_bad(std::int32_t label, int ignore_index, std::int64_t classes) {
  return label != ignore_index && (label < 0 || label >= classes);
}

// What the distillation loss of one pixel is divided by.
inline double kd_divisor(bool element_mean, const ConstView& v) {
  return static_cast<double>(std::max<std::int64_t>(1, element_mean ? v.count() : v.pixels()));
}

inline void require_classes(const char* kernel, const char* name, const ConstView& z) {
  if (z.c < 1 || z.c > kMaxClasses)
    fail(std::string(kernel) + ": number of classes", describe(name, z), "1 to " + std::to_string(kMaxClasses),
         std::to_string(z.c));
}

inline void require_logits_and_labels(const char* kernel, const ConstView& z, const ConstView& label) {
  require_classes(kernel, "z", z);
  require_view(kernel, "label", label, DType::i32);
  require_shape(kernel, "label", label, {z.n, z.h, z.w, 1});
}

inline void require_cross_entropy(const char* kernel, const ConstView& z, const ConstView& label,
                                  const ConstView& class_weights) {
  require_logits_and_labels(kernel, z, label);
  if (class_weights.data != nullptr) require_vector(kernel, "class_weights", class_weights, z.c);
}

inline void require_bad_labels(const char* kernel, const ConstView& bad_labels) {
  if (bad_labels.data == nullptr) return;
  require_view(kernel, "bad_labels", bad_labels, DType::i32);
  require_shape(kernel, "bad_labels", bad_labels, {1, 1, 1, 1});
}

inline void require_dice(const char* kernel, const ConstView& z, const ConstView& label, const ConstView& sums) {
  require_logits_and_labels(kernel, z, label);
  require_vector(kernel, "sums", sums, 3 * z.c);
}

// Whether a teacher's logits put another class above y, the pixel's; never where it has none (y < 0).
inline bool is_wrong(const float* teacher, int y, std::int64_t classes) {
  return y >= 0 && std::any_of(teacher, teacher + classes, [&](float v) { return v > teacher[y]; });
}

inline void require_teacher_check(const char* kernel, const char* name, const ConstView& student,
                                  const TeacherCheck& check) {
  if (check.label.data == nullptr) return;
  require_view(kernel, "label", check.label, DType::i32);
  require_shape(kernel, "label", check.label, {check.label.n, student.h, student.w, 1});
  if (check.label.n > student.n)
    fail(std::string(kernel) + ": more labels than pictures", describe("label", check.label),
         "at most the n of " + describe(name, student), std::to_string(check.label.n));
}

inline void require_kd(const char* kernel, float tau, const char* name, const ConstView& student,
                       const ConstView& teacher) {
  require_classes(kernel, name, student);
  require_view(kernel, "teacher", teacher, student.dtype);
  require_same_shape(kernel, name, student, "teacher", teacher);
  if (!(tau > 0.0f))
    fail(std::string(kernel) + ": temperature", describe(name, student), "tau > 0", std::to_string(tau));
}

inline void require_mse(const char* kernel, const ConstView& a, const ConstView& b) {
  require_view(kernel, "b", b, a.dtype);
  require_same_shape(kernel, "a", a, "b", b);
}

// The gradient of z, and what it is multiplied by.
inline void require_gradient(const char* kernel, const char* name_z, const ConstView& z, const char* name_dz,
                             const ConstView& dz, const ConstView& upstream, const char* name_upstream = "upstream") {
  require_scalar(kernel, name_upstream, upstream);
  require_view(kernel, name_dz, dz, z.dtype);
  require_same_shape(kernel, name_z, z, name_dz, dz);
}

inline void require_distillation_loss(const char* kernel, const DistillationLoss& p, const ConstView& z,
                                      const ConstView& teacher, const ConstView& label, const ConstView& class_weights,
                                      const ConstView& ce_upstream, const ConstView& kd_upstream,
                                      const ConstView& ce_loss, const ConstView& kd_loss, const ConstView& bad_labels,
                                      const ConstView& dz) {
  require_cross_entropy(kernel, z, label, class_weights);
  require_scalar(kernel, "ce_loss", ce_loss);
  require_scalar(kernel, "kd_loss", kd_loss);
  require_bad_labels(kernel, bad_labels);
  if (teacher.data != nullptr) require_kd(kernel, p.tau, "z", z, teacher);
  if (dz.data == nullptr) return;
  require_gradient(kernel, "z", z, "dz", dz, ce_upstream, "ce_upstream");
  if (teacher.data != nullptr) require_scalar(kernel, "kd_upstream", kd_upstream);
}

}  // namespace gf
