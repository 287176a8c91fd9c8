// Masked generative distillation (Yang et al., ECCV 2022): the student's deep map, aligned to the teacher's channels by
// a 1x1 convolution where they differ, loses three quarters of its pixels, and a generator (3x3, ReLU, 3x3) makes the
// teacher's map of it: sum (G(mask * F_S) - F_T)^2 over the batch size. Alignment and generator are trained with the
// student.
#include <optional>

#include "distill/baselines/parts.h"
#include "engine/autograd.h"
#include "engine/nn/convolution.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/dropout.h"
#include "engine/ops/shape.h"

namespace gf {
namespace {

constexpr float kMasked = 0.75f;

// (n,h,w,1) of 0 and 1.
Tensor draw_mask(const Shape& s, const Device& device, Random& random) {
  const NoGrad off;
  const Tensor kept = dropout2d(Tensor::full({s.n, 1, 1, s.h * s.w}, 1 - kMasked, device), kMasked, random);
  return reshape(kept, {s.n, s.h, s.w, 1});
}

class Mgd : public Method {
 public:
  explicit Mgd(const MethodSetup& s)
      : Method(s),
        conv0_({this, "conv0"}, s.teacher_deep.channels, s.teacher_deep.channels, 3, {}),
        conv1_({this, "conv1"}, s.teacher_deep.channels, s.teacher_deep.channels, 3, {}) {
    if (s.student_deep.channels != s.teacher_deep.channels)
      align_.emplace(Owner{this, "align"}, s.student_deep.channels, s.teacher_deep.channels, 1, Conv2d::Options{});
  }
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const auto [student, teacher] = baselines::at_common_size(in.student.deep, in.teacher.deep);
    const Tensor aligned = align_ ? (*align_)(student) : student;
    const Tensor mask = draw_mask(aligned.shape(), aligned.device(), in.random);
    const Tensor made = conv1_(relu(conv0_(aligned * mask)));
    return {sum_to(square(made - teacher), {}, 1.0f / static_cast<float>(teacher.shape().n))};
  }

 private:
  Conv2d conv0_, conv1_;
  std::optional<Conv2d> align_;
};

}  // namespace

MethodInfo mgd_method() {
  return {.name = "mgd",
          .title = "Masked generative distillation",
          .year = 2022,
          .formula = "deep taps: sum (G(mask align(F_S)) - F_T)^2 / batch, 3/4 masked, G and align trained",
          .terms = {{"mgd", 2e-5}},
          .needs = {.deep = true},
          .two_classes = "yes",
          .make = make_as<Mgd>};
}

}  // namespace gf
