#pragma once
// The Graph Flow loss (Zou et al., TMI 2022; method 1.4): salience graphs of a shallow and a deep layer, the variation
// graph between them, and the alignment of the student's variation graph with the teacher's.
//
//   V^l = salience patches of layer l (C x k*k),  E^l = V^l V^l^T      salience graph
//   dV = V^deep - V^shallow,  dE = E^deep - E^shallow                  variation graph
//   L_vertex = sum |dV_S - dV_T|^2,   L_edge = sum |dE_S - dE_T|^2
//
// Of one pair of layers; |L| pairs (method 1.1, published for 1 to 3) add up in distill/distillation.h. Which layers
// |L| = 2 and 3 add was not published: models/network.h, tap_pairs(), says what each network takes.
//
// The formula is our primary reading of the paper, whose loss was never released; the alternatives are options:
// EdgeMode::variation (A1), EdgeMode::distance (A2), SalienceMode::window (A3), GraphReduction::mean.
#include "engine/ops/salience.h"

namespace gf {

struct GraphFlowOptions {
  SalienceShape salience;
  VariationGraphShape graph;
};

struct GraphFlowMaps {
  Tensor shallow, deep;  // (n,h,w,C); the four maps share n and C, their sizes may differ
};

// Raw terms; the published weights are 1e-5 (vertex) and 1e-9 (edge) with the sum reduction. The teacher is constant.
VariationGraphLoss graph_flow_loss(const GraphFlowMaps& student, const GraphFlowMaps& teacher,
                                   const GraphFlowOptions& options);

}  // namespace gf
