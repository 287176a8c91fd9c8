// Cross-image relational knowledge distillation (Yang et al., CVPR 2022), its mini-batch term: similarities (cosines)
// of every pixel of every picture i with the pixels of every picture j, as a distribution over j's pixels,
// KL(softmax(S_T / tau) || softmax(S_S / tau)), mean over i's pixels and over the pairs of pictures; deep taps, tau 1.
// All pairs at once: a matrix of (batch pixels)^2, so maps are pooled to at most 16 x 16.
#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"
#include "engine/ops/softmax.h"

namespace gf {
namespace {

constexpr std::int64_t kMostSide = 16;

class Cirkd : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const float tau = tau_or(1);
    const auto [student, teacher] = baselines::at_common_size(in.student.deep, in.teacher.deep);
    const auto relations = [tau](const Tensor& map) {
      const Tensor small = baselines::unit_channels(baselines::shrunk(map, kMostSide));
      const Shape& s = small.shape();
      const std::int64_t pixels = s.h * s.w;
      const Tensor rows = reshape(small, {1, 1, s.n * pixels, s.c});
      return log_softmax((1 / tau) * reshape(matmul(rows, rows, false, true), {1, s.n * pixels, s.n, pixels}));
    };
    const Tensor s = relations(student);
    return {(1.0f / static_cast<float>(s.shape().pixels())) * baselines::divergence(relations(teacher), s)};
  }
};

}  // namespace

MethodInfo cirkd_method() {
  return {.name = "cirkd",
          .title = "Cross-image relational distillation (mini-batch term)",
          .year = 2022,
          .formula = "deep taps: KL(softmax(f_i f_j^T / tau), T || S), mean over pixels and pairs of pictures, tau 1",
          .terms = {{"cirkd", 1}},
          .needs = {.deep = true},
          .two_classes = "yes",
          .make = make_as<Cirkd>};
}

}  // namespace gf
