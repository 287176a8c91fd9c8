// Graph Flow (Zou et al., TMI 2022) is distill/distillation.h's own, with its options under distill.graph and
// distill.kd; this is its line of the table.
#include "distill/baselines/method.h"

namespace gf {

MethodInfo graph_flow_method() {
  return {.name = "graph_flow",
          .title = "Graph Flow",
          .year = 2022,
          .formula = "vertex: sum |dV_S - dV_T|^2, edge: sum |dE_S - dE_T|^2, kd: KL(p_T || p_S)",
          .terms = {{"vertex", 1e-5}, {"edge", 1e-9}, {"kd", 1}},
          .needs = {.logits = true, .shallow = true, .deep = true, .paraphrasers = true},
          .two_classes = "yes",
          .make = nullptr};
}

}  // namespace gf
