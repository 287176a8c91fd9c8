// Variational information distillation (Ahn et al., CVPR 2019): a regressor that is trained with the student predicts
// the teacher's map, mean (1/2) [log var_c + (mu - F_T)^2 / var_c], var_c = log(1 + exp(alpha_c)) + 1e-6, which starts
// at 5. mu: 1x1 convolutions without bias with ReLU between. On both taps.
#include <cmath>

#include "distill/baselines/parts.h"
#include "engine/nn/convolution.h"
#include "engine/nn/init.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"

namespace gf {
namespace {

class Regressor : public Module {
 public:
  Regressor(const Owner& owner, std::int64_t from, std::int64_t to)
      : Module(owner),
        conv0_({this, "conv0"}, from, to, 1, {.bias = false}),
        conv1_({this, "conv1"}, to, to, 1, {.bias = false}),
        conv2_({this, "conv2"}, to, to, 1, {.bias = false}) {
    alpha_ = parameter("alpha", {1, 1, 1, to}, FileLayout::vector);
    init_constant(alpha_, static_cast<float>(std::log(std::expm1(kFirstVariance - double{kLeast}))));
  }

  Tensor loss(const Tensor& student, const Tensor& teacher) const {
    const auto [s, t] = baselines::at_common_size(student, teacher);
    const Tensor mu = conv2_(relu(conv1_(relu(conv0_(s)))));
    const Tensor variance = log(exp(alpha_) + 1.0f) + kLeast;
    return 0.5f * mean(square(mu - t) / variance + log(variance));
  }

 private:
  static constexpr double kFirstVariance = 5;
  static constexpr float kLeast = 1e-6f;
  Conv2d conv0_, conv1_, conv2_;
  Tensor alpha_;
};

class Vid : public Method {
 public:
  explicit Vid(const MethodSetup& s)
      : Method(s),
        shallow_({this, "shallow"}, s.student_shallow.channels, s.teacher_shallow.channels),
        deep_({this, "deep"}, s.student_deep.channels, s.teacher_deep.channels) {}
  std::vector<Tensor> terms(const MethodInput& in) const override {
    return {shallow_.loss(in.student.shallow, in.teacher.shallow) + deep_.loss(in.student.deep, in.teacher.deep)};
  }

 private:
  Regressor shallow_, deep_;
};

}  // namespace

MethodInfo vid_method() {
  return {.name = "vid",
          .title = "Variational information distillation for knowledge transfer",
          .year = 2019,
          .formula = "both taps: mean (log var_c + (mu(F_S) - F_T)^2 / var_c) / 2, mu and var trained",
          .terms = {{"vid", 1}},
          .needs = {.shallow = true, .deep = true},
          .two_classes = "yes",
          .make = make_as<Vid>};
}

}  // namespace gf
