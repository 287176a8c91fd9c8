#pragma once
// Channel salience and variation graph as ops (kernels/salience.h, kernels/variation_graph.h). Differentiable once.
#include "engine/tensor.h"
#include "kernels/salience.h"
#include "kernels/variation_graph.h"

namespace gf {

// (n,1,c,k*k), float32 whether the map is float32 or bf16: row c is the patch around channel c's maximum. Gradients
// flow to the gathered values only.
Tensor salience(const Tensor& map, const SalienceShape& p);

struct VariationGraphLoss {
  Tensor vertex, edge;  // scalars
};
// Salience matrices (n,1,C,k*k); the teacher's are constants.
VariationGraphLoss variation_graph_loss(const Tensor& student_shallow, const Tensor& student_deep,
                                        const Tensor& teacher_shallow, const Tensor& teacher_deep,
                                        const VariationGraphShape& p);

}  // namespace gf
