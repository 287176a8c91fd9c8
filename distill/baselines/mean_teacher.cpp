// Mean Teacher (Tarvainen & Valpola, NeurIPS 2017) is a task of its own, distill/mean_teacher.h; this is its line of
// the table. The weight is the one usual in segmentation (Yu et al., MICCAI 2019).
#include "distill/baselines/method.h"

namespace gf {

MethodInfo mean_teacher_method() {
  return {.name = "mean_teacher",
          .title = "Mean teachers are better role models: a running average of the student teaches",
          .year = 2017,
          .formula = "consistency: mean (p_S - p_E)^2, E the average of S's weights, noise and dropout of their own",
          .terms = {{"consistency", 0.1}},
          .needs = {.teacher = false},
          .two_classes = "yes",
          .make = nullptr};
}

}  // namespace gf
