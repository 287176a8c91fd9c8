// Attention transfer (Zagoruyko & Komodakis, ICLR 2017): where a network looks, A = sum_c |F_c| over its norm
// (+ 1e-6), compared on both taps by the mean squared error. Maps of two sizes meet at the smaller one.
#include "distill/baselines/parts.h"
#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"

namespace gf {
namespace {

Tensor attention(const Tensor& map) {
  const Shape& s = map.shape();
  const Tensor a = sum_to(abs(map), {s.n, s.h, s.w, 1});
  return a / (baselines::norm_to(a, {s.n, 1, 1, 1}) + 1e-6f);
}

class At : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const auto loss = [](const Tensor& student, const Tensor& teacher) {
      const auto [s, t] = baselines::at_common_size(student, teacher);
      return mse_loss(attention(s), attention(t));
    };
    return {loss(in.student.shallow, in.teacher.shallow) + loss(in.student.deep, in.teacher.deep)};
  }
};

}  // namespace

MethodInfo at_method() {
  return {.name = "at",
          .title = "Paying more attention to attention",
          .year = 2017,
          .formula = "both taps: mean (A_S - A_T)^2, A = sum_c |F_c| / |.|_2",
          .terms = {{"at", 1000}},
          .needs = {.shallow = true, .deep = true},
          .two_classes = "yes",
          .make = make_as<At>};
}

}  // namespace gf
