// Logit standardisation (Sun et al., CVPR 2024): each pixel's logits to mean 0 and deviation 1 (C - 1 in the variance)
// before the distillation of the logits, tau^2 KL, mean over pixels, tau 2.
#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"

namespace gf {
namespace {

Tensor standardised(const Tensor& z) {
  const Shape& s = z.shape();
  const Shape pixel{s.n, s.h, s.w, 1};
  const Tensor centred = z - sum_to(z, pixel, 1.0f / static_cast<float>(s.c));
  const Tensor variance = sum_to(square(centred), pixel, 1.0f / static_cast<float>(s.c - 1));
  return centred / sqrt(variance + baselines::kTiny);
}

class LogitStd : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    return {kd_loss(standardised(in.student_logits), standardised(in.teacher_logits), tau_or(2), false)};
  }
};

}  // namespace

MethodInfo logit_std_method() {
  return {.name = "logit_std",
          .title = "Logit standardization in knowledge distillation",
          .year = 2024,
          .formula = "tau^2 KL(softmax(z'_T / tau) || softmax(z'_S / tau)), z' = (z - mean) / std, tau 2",
          .terms = {{"logit_std", 9}},
          .needs = {.logits = true},
          .two_classes = "no: of two classes only the sign of the difference is left",
          .make = make_as<LogitStd>};
}

}  // namespace gf
