// Decoupled knowledge distillation (Zhao et al., CVPR 2022), a pixel a sample, tau 4:
//   tckd: tau^2 KL of (p_t, 1 - p_t), target class against the rest
//   nckd: tau^2 KL of the softmax among the other classes
// Mean over the pixels that have a label. Worked from log-softmaxes alone: with log q that of the other classes,
// log (1 - p_t) = log p_c - log q_c for every other class c.
#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/one_hot.h"
#include "engine/ops/softmax.h"

namespace gf {
namespace {

constexpr float kFar = 1000;  // taken off the target's logit, it leaves the softmax

struct Decoupled {
  Tensor log_target, log_rest;  // (n,h,w,1)
  Tensor log_others;            // (n,h,w,classes)
};

Decoupled decouple(const Tensor& z, const Tensor& target, const Tensor& others) {
  const Shape& s = z.shape();
  const Shape pixel{s.n, s.h, s.w, 1};
  const Tensor log_p = log_softmax(z), log_q = log_softmax(z - kFar * target);
  return {sum_to(log_p * target, pixel), sum_to((log_p - log_q) * others, pixel, 1.0f / static_cast<float>(s.c - 1)),
          log_q};
}

class Dkd : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const float tau = tau_or(4);
    const Tensor student = baselines::of_labelled(in, in.student_logits),
                 teacher = baselines::of_labelled(in, in.teacher_logits);
    const Shape& s = student.shape();
    const Tensor target = one_hot(in.label, s.c, in.ignore_index);
    const Tensor counts = sum_to(target, {s.n, s.h, s.w, 1});
    const Tensor others = counts - target;
    const Decoupled t = decouple((1 / tau) * teacher, target, others);
    const Decoupled p = decouple((1 / tau) * student, target, others);
    const Tensor over = (1 / (tau * tau)) * (sum(counts) + 1e-6f);
    const Tensor binary =
        exp(t.log_target) * (t.log_target - p.log_target) + exp(t.log_rest) * (t.log_rest - p.log_rest);
    return {sum(counts * binary) / over, sum(others * (exp(t.log_others) * (t.log_others - p.log_others))) / over};
  }
};

}  // namespace

MethodInfo dkd_method() {
  return {.name = "dkd",
          .title = "Decoupled knowledge distillation",
          .year = 2022,
          .formula = "tckd: tau^2 KL(p_t, 1 - p_t); nckd: tau^2 KL(softmax of the other classes), tau 4",
          .terms = {{"tckd", 1}, {"nckd", 8}},
          .needs = {.logits = true, .labels = true},
          .two_classes = "tckd only: nckd is 0, there is one other class",
          .make = make_as<Dkd>};
}

}  // namespace gf
