// Distillation of the logits (Hinton et al. 2015): tau^2 KL(softmax(z_T / tau) || softmax(z_S / tau)). As the released
// Graph Flow code wires it, tau is 1 and the mean goes over pixels and classes; Knowledge-Distillation-Zoo's soft
// target has tau 4 and divides by the number of samples, which are pixels here.
#include "distill/baselines/parts.h"
#include "engine/ops/losses.h"

namespace gf {
namespace {

template <bool kZoo>
class Kd : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    return {kd_loss(in.student_logits, in.teacher_logits, tau_or(kZoo ? 4 : 1), !kZoo)};
  }
};

}  // namespace

MethodInfo kd_method() {
  return {.name = "kd",
          .title = "Distilling the knowledge in a neural network, as wired in Graph Flow",
          .year = 2015,
          .formula = "tau^2 KL(p_T || p_S), mean over pixels and classes, tau 1",
          .terms = {{"kd", 1}},
          .needs = {.logits = true},
          .two_classes = "yes",
          .make = make_as<Kd<false>>};
}

MethodInfo kd_zoo_method() {
  return {.name = "kd_zoo",
          .title = "The same, as in Knowledge-Distillation-Zoo",
          .year = 2015,
          .formula = "tau^2 KL(p_T || p_S), mean over pixels, tau 4",
          .terms = {{"kd", 0.1}},
          .needs = {.logits = true},
          .two_classes = "yes",
          .make = make_as<Kd<true>>};
}

}  // namespace gf
