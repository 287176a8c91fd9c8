// Intra-class feature variation distillation (Wang et al., ECCV 2020): at each pixel the cosine between its feature and
// the mean feature of its class in the picture (labels at the map's size), compared by the mean squared error, on the
// deep taps of the labelled pictures. Pixels that are ignored do not differ.
#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"

namespace gf {
namespace {

// masks and features as rows (n,1,pixels,.)
Tensor variation(const Tensor& masks, const Tensor& features) {
  const Shape& m = masks.shape();
  const Tensor pixels = reshape(sum_to(masks, {m.n, 1, 1, m.c}), {m.n, 1, m.c, 1});
  const Tensor prototypes = matmul(masks, features, true) / (pixels + 1e-6f);
  return baselines::channel_cosine(features, matmul(masks, prototypes));
}

class Ifvd : public Method {
 public:
  using Method::Method;
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const auto [student, teacher] = baselines::at_common_size(baselines::of_labelled(in, in.student.deep),
                                                              baselines::of_labelled(in, in.teacher.deep));
    const Tensor masks = baselines::class_rows(in, student);
    return {mean(
        square(variation(masks, baselines::pixel_rows(student)) - variation(masks, baselines::pixel_rows(teacher))))};
  }
};

}  // namespace

MethodInfo ifvd_method() {
  return {.name = "ifvd",
          .title = "Intra-class feature variation distillation",
          .year = 2020,
          .formula = "deep taps: mean (M_S - M_T)^2, M = cos(feature, mean feature of its class)",
          .terms = {{"ifvd", 200}},
          .needs = {.deep = true, .labels = true},
          .two_classes = "yes",
          .make = make_as<Ifvd>};
}

}  // namespace gf
