// CoCo DistillNet (Zou et al., BIBM 2021), whose loss was never released. From its abstract: the correlation of
// channel-mixed spatial similarity between two layers. Here: each pixel's features over their norm, M = f_shallow
// f_deep^T (pixels x pixels, maps pooled to at most 32 x 32), mean (M_S - M_T)^2. Only within a network must the taps
// have as many channels.
#include <algorithm>

#include "distill/baselines/parts.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "engine/ops/matmul.h"

namespace gf {
namespace {

constexpr std::int64_t kMostSide = 32;

Tensor cross_similarity(const TapMaps& maps) {
  return matmul(baselines::pixel_rows(baselines::unit_channels(maps.shallow)),
                baselines::pixel_rows(baselines::unit_channels(maps.deep)), false, true);
}

class CoCoD : public Method {
 public:
  explicit CoCoD(const MethodSetup& s) : Method(s) {
    baselines::require_channels("cocod", s.student_deep, s.student_shallow.channels,
                                "as tap " + s.student_shallow.name);
    baselines::require_channels("cocod", s.teacher_deep, s.teacher_shallow.channels,
                                "as tap " + s.teacher_shallow.name);
  }
  std::vector<Tensor> terms(const MethodInput& in) const override {
    const auto shallow = at_small_size(in.student.shallow, in.teacher.shallow);
    const auto deep = at_small_size(in.student.deep, in.teacher.deep);
    return {
        mse_loss(cross_similarity({shallow.student, deep.student}), cross_similarity({shallow.teacher, deep.teacher}))};
  }

 private:
  static baselines::MapPair at_small_size(const Tensor& student, const Tensor& teacher) {
    const auto [s, t] = baselines::at_common_size(student, teacher);
    return {baselines::shrunk(s, kMostSide), baselines::shrunk(t, kMostSide)};
  }
};

}  // namespace

MethodInfo cocod_method() {
  return {.name = "cocod",
          .title = "CoCo DistillNet: cross-layer correlation (our reading)",
          .year = 2021,
          .formula = "mean (M_S - M_T)^2, M = cos of every shallow pixel with every deep pixel",
          .terms = {{"cocod", 1}},
          .needs = {.shallow = true, .deep = true},
          .two_classes = "yes",
          .make = make_as<CoCoD>};
}

}  // namespace gf
