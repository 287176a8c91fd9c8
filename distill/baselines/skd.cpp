// Structured knowledge distillation (Liu et al., CVPR 2019). Its holistic term is the run's adversarial one
// (distill/adversarial.h) and joins with it: there WGAN-GP, weight 0.1, the discriminator conditional on the picture
// (distill.adversarial.weight and conditional).
//   pixel: sum over the batch of -p_T log p_S, over h w
//   pair:  maxima over half the map's height and width (2 x 2 nodes), over their norm, which is a constant;
//          similarities A = f f^T of a picture's nodes; sum (A_S - A_T)^2 / nodes^2 / batch, on the shallow taps
#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/matmul.h"
#include "engine/ops/pooling.h"
#include "engine/ops/softmax.h"

namespace gf {
namespace {

constexpr std::int64_t kSide = 2;

Tensor similarities(const Tensor& map) {
  const Tensor nodes = baselines::pixel_rows(adaptive_max_pool(map, kSide, kSide));
  const Shape& s = nodes.shape();
  const Tensor unit = nodes / baselines::norm_to(nodes.detach(), {s.n, 1, s.w, 1});
  return matmul(unit, unit, false, true);
}

class Skd : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const Shape& z = in.student_logits.shape();
    const Tensor pixel =
        sum_to(softmax(in.teacher_logits) * log_softmax(in.student_logits), {}, -1.0f / static_cast<float>(z.h * z.w));
    require_nodes(in.student.shallow, setup().student_shallow);
    require_nodes(in.teacher.shallow, setup().teacher_shallow);
    return {pixel, mean(square(similarities(in.student.shallow) - similarities(in.teacher.shallow)))};
  }

 private:
  static void require_nodes(const Tensor& map, const MethodLayer& layer) {
    if (map.shape().h >= kSide && map.shape().w >= kSide) return;
    throw Error(ErrorKind::usage, {"a tap is too small for the distillation method", "term pair, tap " + layer.name,
                                   "at least 2x2", map.shape().str(), "choose a shallower tap, or larger pictures"});
  }
};

}  // namespace

MethodInfo skd_method() {
  return {.name = "skd",
          .title = "Structured knowledge distillation",
          .year = 2019,
          .formula =
              "pixel: sum -p_T log p_S / (h w); pair: mean (A_S - A_T)^2, A of 2x2 nodes, shallow taps; "
              "holistic: distill.adversarial.weight = 0.1 with conditional = true",
          .terms = {{"pixel", 10}, {"pair", 1}},
          .needs = {.logits = true, .shallow = true},
          .two_classes = "yes",
          .make = make_as<Skd>};
}

}  // namespace gf
