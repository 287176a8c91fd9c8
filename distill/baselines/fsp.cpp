// Flow of solution procedure (Yim et al., CVPR 2017): the Gram matrix between two layers, G = F_shallow^T F_deep / (h
// w) for each picture, compared by the mean squared error. The teacher's taps go through the paraphrasers, so that its
// matrix has the student's size. The larger map of a network is pooled to the smaller one.
#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/ops/matmul.h"

namespace gf {
namespace {

Tensor flow(const TapMaps& maps) {
  const auto [shallow, deep] = baselines::at_common_size(maps.shallow, maps.deep);
  const float positions = static_cast<float>(deep.shape().h * deep.shape().w);
  return (1 / positions) * matmul(baselines::pixel_rows(shallow), baselines::pixel_rows(deep), true);
}

class Fsp : public Method {
 public:
  explicit Fsp(const MethodSetup& s) : Method(s) {
    baselines::require_channels("fsp", s.student_shallow, s.factors, "the paraphrasers' factors");
    baselines::require_channels("fsp", s.student_deep, s.factors, "the paraphrasers' factors");
  }
  std::vector<Tensor> terms(const MethodInput& in) const override {
    return {mse_loss(flow(in.student), flow(in.factors))};
  }
};

}  // namespace

MethodInfo fsp_method() {
  return {.name = "fsp",
          .title = "A gift from knowledge distillation: flow of solution procedure",
          .year = 2017,
          .formula = "mean (G_S - G_T)^2, G = F_shallow^T F_deep / (h w), T paraphrased",
          .terms = {{"fsp", 1}},
          .needs = {.shallow = true, .deep = true, .paraphrasers = true},
          .two_classes = "yes",
          .make = make_as<Fsp>};
}

}  // namespace gf
