// DIST (Huang et al., NeurIPS 2022): 1 - Pearson's correlation of softmax(z / tau) with the teacher's, tau^2 times,
//   inter: over the classes, mean over pixels          intra: over the pixels of the batch, mean over classes
#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/softmax.h"

namespace gf {
namespace {

// Over the axes where `to` is 1, then the mean.
Tensor mean_correlation(const Tensor& a, const Tensor& b, const Shape& to) {
  const float share = static_cast<float>(to.count()) / static_cast<float>(a.count());
  const auto unit = [&](const Tensor& x) {
    const Tensor centred = x - sum_to(x, to, share);
    return centred / baselines::norm_to(centred, to);
  };
  return sum_to(unit(a) * unit(b), {}, 1.0f / static_cast<float>(to.count()));
}

class Dist : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const float tau = tau_or(1);
    const Shape& z = in.student_logits.shape();
    const Tensor s = softmax((1 / tau) * in.student_logits), t = softmax((1 / tau) * in.teacher_logits);
    const auto loss = [&](const Shape& to) { return (tau * tau) * (-mean_correlation(s, t, to) + 1.0f); };
    return {loss({z.n, z.h, z.w, 1}), loss({1, 1, 1, z.c})};
  }
};

}  // namespace

MethodInfo dist_method() {
  return {.name = "dist",
          .title = "Knowledge distillation from a stronger teacher",
          .year = 2022,
          .formula = "inter: tau^2 (1 - Pearson over classes); intra: tau^2 (1 - Pearson over pixels), tau 1",
          .terms = {{"inter", 1}, {"intra", 1}},
          .needs = {.logits = true},
          .two_classes = "intra only: the correlation of two classes is a sign",
          .make = make_as<Dist>};
}

}  // namespace gf
