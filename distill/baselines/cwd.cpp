// Channel-wise distillation (Shu et al., ICCV 2021) of the logits: each class's map as a distribution over the pixels,
// tau^2 / C * sum_c KL(softmax_hw(z_T / tau) || softmax_hw(z_S / tau)), mean over the batch.
#include <algorithm>

#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/pooling.h"

namespace gf {
namespace {

// The logarithm of the softmax over each channel's pixels. The maximum that is taken off first is a constant.
Tensor spatial_log_softmax(const Tensor& x) {
  const Shape& s = x.shape();
  constexpr std::int64_t kCells = 16;
  const Tensor coarse = adaptive_max_pool(x.detach(), std::min(s.h, kCells), std::min(s.w, kCells));
  const Tensor shifted = x - adaptive_max_pool(coarse, 1, 1);
  return shifted - log(sum_to(exp(shifted), {s.n, 1, 1, s.c}));
}

class Cwd : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const float tau = tau_or(4);
    const Shape& z = in.student_logits.shape();
    const Tensor kl = baselines::divergence(spatial_log_softmax((1 / tau) * in.teacher_logits),
                                            spatial_log_softmax((1 / tau) * in.student_logits));
    return {(tau * tau / static_cast<float>(z.n * z.c)) * kl};
  }
};

}  // namespace

MethodInfo cwd_method() {
  return {.name = "cwd",
          .title = "Channel-wise knowledge distillation for dense prediction",
          .year = 2021,
          .formula = "tau^2 / C sum_c KL(softmax_hw(z_T / tau) || softmax_hw(z_S / tau)), tau 4, logits",
          .terms = {{"cwd", 3}},
          .needs = {.logits = true},
          .two_classes = "yes",
          .make = make_as<Cwd>};
}

}  // namespace gf
