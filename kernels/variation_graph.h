#pragma once
// Variation graph (Graph Flow): how vertices and edges of the salience graph change from a shallow to a deep layer, and
// the loss that aligns the student's variation with the teacher's.
//
// Per image, V in R^{C x D} (D = k*k), from salience.h:
//   dV   = V_deep - V_shallow                                              vertices of the variation graph
//   gram      E = V V^T,               dE = E_deep - E_shallow             edges (primary formula)
//   variation E = dV dV^T,             dE = E                              edges of the variation (A1)
//   distance  e_ij = |v_i - v_j|^2,    dE = e_deep - e_shallow             squared distances (A2)
//   L_vertex = s_v * sum_b |dV_S - dV_T|^2,     L_edge = s_e * sum_b |dE_S - dE_T|^2
// with s_v = s_e = 1 (sum reduction, the published scale) or 1/(n*C*D) and 1/(n*C*C) (mean).
//
// Gradients with respect to the student's matrices (teacher is constant), R = dV_S - dV_T, Q = dE_S - dE_T:
//   vertex     dL/dV_deep = 2 s_v R,  dL/dV_shallow = -2 s_v R
//   gram       dL/dV_deep = 4 s_e Q V_deep,  dL/dV_shallow = -4 s_e Q V_shallow
//   variation  dL/dV_deep = 4 s_e Q dV_S,    dL/dV_shallow = -4 s_e Q dV_S
//   distance   dL/dv_i^l = +-8 s_e sum_j Q_ij (v_i^l - v_j^l)
//
// All matrices (n,1,C,D) float32, any pixel stride. Losses are (1,1,1,1) float32, summed in double (CPU) or in a fixed
// pairwise order (GPU): their sums reach 1e8.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

enum class EdgeMode { gram, variation, distance };
enum class GraphReduction { sum, mean };

struct VariationGraphShape {
  EdgeMode edges = EdgeMode::gram;
  GraphReduction reduction = GraphReduction::sum;

  bool operator==(const VariationGraphShape&) const = default;
};

// Throws, naming the argument, where shapes or dtypes do not fit; every body calls it first.
void check_variation_graph(const char* kernel, const ConstView& student_shallow, const ConstView& student_deep,
                           const ConstView& teacher_shallow, const ConstView& teacher_deep);

// vertex_loss and edge_loss are assigned.
void variation_graph_forward(const Cpu&, const VariationGraphShape&, ConstView student_shallow, ConstView student_deep,
                             ConstView teacher_shallow, ConstView teacher_deep, View vertex_loss, View edge_loss);
// d_shallow and d_deep (n,1,C,D) are assigned: d(vertex_weight * L_vertex + edge_weight * L_edge) / dV_S. The two
// weights are the upstream gradients, one float each, read from (1,1,1,1) views.
void variation_graph_backward(const Cpu&, const VariationGraphShape&, ConstView student_shallow, ConstView student_deep,
                              ConstView teacher_shallow, ConstView teacher_deep, ConstView vertex_weight,
                              ConstView edge_weight, View d_shallow, View d_deep);

// The bodies of kernels/cuda/variation_graph.cu, compiled by the host compiler and by nvcc.
void variation_graph_forward(const Simt&, const VariationGraphShape&, ConstView student_shallow, ConstView student_deep,
                             ConstView teacher_shallow, ConstView teacher_deep, View vertex_loss, View edge_loss);
void variation_graph_backward(const Simt&, const VariationGraphShape&, ConstView student_shallow,
                              ConstView student_deep, ConstView teacher_shallow, ConstView teacher_deep,
                              ConstView vertex_weight, ConstView edge_weight, View d_shallow, View d_deep);
void variation_graph_forward(const Cuda&, const VariationGraphShape&, ConstView student_shallow, ConstView student_deep,
                             ConstView teacher_shallow, ConstView teacher_deep, View vertex_loss, View edge_loss);
void variation_graph_backward(const Cuda&, const VariationGraphShape&, ConstView student_shallow,
                              ConstView student_deep, ConstView teacher_shallow, ConstView teacher_deep,
                              ConstView vertex_weight, ConstView edge_weight, View d_shallow, View d_deep);

}  // namespace gf
