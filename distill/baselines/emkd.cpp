// Efficient medical knowledge distillation (Qin et al., TMI 2021):
//   pmd: tau^2 KL(p_T || p_S) with tau 4, mean over pixels
//   imd: mean over the batch of |A_S - A_T|^2, A = mean_c F^4 over its norm; the student's map is resized to the
//        teacher's; both taps
//   rad: mean (c_S - c_T)^2, c = cosine between the mean features of two classes, over all pairs of classes (published
//        for two) and labelled pictures; labels at the map's size; both taps. A class that a picture lacks has cosine
//        0.
#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/ops/matmul.h"
#include "engine/ops/resize.h"
#include "engine/ops/shape.h"

namespace gf {
namespace {

Tensor importance(const Tensor& map) {
  const Shape& s = map.shape();
  return baselines::unit_images(sum_to(square(square(map)), {s.n, s.h, s.w, 1}, 1.0f / static_cast<float>(s.c)));
}

// (n,1,classes,classes)
Tensor contrasts(const MethodInput& in, const Tensor& map) {
  const Tensor masks = baselines::class_rows(in, map);
  const Shape& m = masks.shape();
  const Tensor pixels = reshape(sum_to(masks, {m.n, 1, 1, m.c}), {m.n, 1, m.c, 1});
  const Tensor regions = matmul(masks, baselines::pixel_rows(map), true) / (pixels + 1e-6f);
  const Tensor unit = baselines::unit_channels(regions);
  return matmul(unit, unit, false, true);
}

class Emkd : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const auto both = [&](const auto& loss) {
      return loss(in.student.shallow, in.teacher.shallow) + loss(in.student.deep, in.teacher.deep);
    };
    const Tensor imd = both([](const Tensor& student, const Tensor& teacher) {
      const Shape &s = student.shape(), &t = teacher.shape();
      const bool same = s.h == t.h && s.w == t.w;
      const Tensor resized = same ? student : resize(student, t.h, t.w, ResizeMode::bilinear);
      return sum_to(square(importance(resized) - importance(teacher)), {}, 1.0f / static_cast<float>(s.n));
    });
    const Tensor rad = both([&](const Tensor& student, const Tensor& teacher) {
      const Tensor c = contrasts(in, baselines::of_labelled(in, student));
      const Shape& s = c.shape();
      // The diagonal is 1 on both sides, and each pair stands there twice.
      const float pairs = static_cast<float>(s.n * s.c * (s.c - 1));
      return sum_to(square(c - contrasts(in, baselines::of_labelled(in, teacher))), {}, 1 / pairs);
    });
    return {kd_loss(in.student_logits, in.teacher_logits, tau_or(4), false), imd, rad};
  }
};

}  // namespace

MethodInfo emkd_method() {
  return {.name = "emkd",
          .title = "Efficient medical image segmentation based on knowledge distillation",
          .year = 2021,
          .formula =
              "pmd: tau^2 KL(p_T || p_S), tau 4; imd: sum (A_S - A_T)^2, A = mean_c F^4 / |.|; rad: mean (cos of "
              "class means, S - T)^2",
          .terms = {{"pmd", 0.1}, {"imd", 0.9}, {"rad", 0.9}},
          .needs = {.logits = true, .shallow = true, .deep = true, .labels = true},
          .two_classes = "yes",
          .make = make_as<Emkd>};
}

}  // namespace gf
