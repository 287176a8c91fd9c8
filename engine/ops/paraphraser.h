#pragma once
// The paraphraser's encoder on tensor cores (kernels/paraphraser.h): 3x3 layers with LeakyReLU, forward only.
#include "engine/tensor.h"
#include "kernels/paraphraser.h"

namespace gf {

// Whether the ops below can take the map: bf16, on a device that has the kernels, nothing recorded.
bool paraphraser_kernels_take(const Tensor& x);

// Weights are float32 parameters; their bf16 copies are weights_as's (cast.h). Record nothing.
Tensor paraphraser_layer_inference(const Tensor& x, const Tensor& w, const Tensor& bias, float slope);
// At most kMaxFactors channels out.
Tensor paraphraser_narrow_layers_inference(const Tensor& x, const Tensor& w1, const Tensor& bias1, const Tensor& w2,
                                           const Tensor& bias2, float slope);

}  // namespace gf
