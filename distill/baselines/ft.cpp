// Factor transfer (Kim et al., NeurIPS 2018): the teacher's factors come from the paraphrasers, the student's from a
// translator that is trained with it (three 3x3 convolutions with LeakyReLU 0.1, like a paraphraser's encoder); each
// picture's factors over their norm, compared by the mean absolute difference, on both taps.
#include "distill/baselines/parts.h"
#include "engine/nn/convolution.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"

namespace gf {
namespace {

class Translator : public Module {
 public:
  Translator(const Owner& owner, std::int64_t channels, std::int64_t factors)
      : Module(owner),
        conv0_({this, "conv0"}, channels, channels, 3, {}),
        conv1_({this, "conv1"}, channels, factors, 3, {}),
        conv2_({this, "conv2"}, factors, factors, 3, {}) {}
  Tensor operator()(const Tensor& map) const {
    constexpr float kSlope = 0.1f;
    const Tensor a = leaky_relu(conv0_(map), kSlope);
    const Tensor b = leaky_relu(conv1_(a), kSlope);
    return leaky_relu(conv2_(b), kSlope);
  }

 private:
  Conv2d conv0_, conv1_, conv2_;
};

class Ft : public Method {
 public:
  explicit Ft(const MethodSetup& s)
      : Method(s),
        shallow_({this, "shallow"}, s.student_shallow.channels, s.factors),
        deep_({this, "deep"}, s.student_deep.channels, s.factors) {}
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const auto loss = [](const Tensor& student, const Tensor& teacher) {
      const auto [s, t] = baselines::at_common_size(student, teacher);
      return mean(abs(baselines::unit_images(s) - baselines::unit_images(t)));
    };
    return {loss(shallow_(in.student.shallow), in.factors.shallow) + loss(deep_(in.student.deep), in.factors.deep)};
  }

 private:
  Translator shallow_, deep_;
};

}  // namespace

MethodInfo ft_method() {
  return {.name = "ft",
          .title = "Paraphrasing complex network: factor transfer",
          .year = 2018,
          .formula = "both taps: mean |Q_S/|Q_S| - Q_T/|Q_T||, Q_T paraphrased, Q_S by a trained translator",
          .terms = {{"ft", 200}},
          .needs = {.shallow = true, .deep = true, .paraphrasers = true},
          .two_classes = "yes",
          .make = make_as<Ft>};
}

}  // namespace gf
