#pragma once
// Activations. All but gelu twice differentiable.
// Where a normalisation precedes, ops/batch_norm.h fuses the activation.
#include "engine/tensor.h"

namespace gf {

Tensor relu(const Tensor& x);                     // max(x, 0), derivative 0 at 0
Tensor leaky_relu(const Tensor& x, float slope);  // x > 0 ? x : slope * x
Tensor relu6(const Tensor& x);                    // min(max(x, 0), 6)
Tensor abs(const Tensor& x);                      // |x|, derivative 0 at 0
// max(x, 0) + slope * min(x, 0), the slope learned and of any sign: (1,1,1,1), one for all channels, or (1,1,1,c).
Tensor prelu(const Tensor& x, const Tensor& slope);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);  // 1 / (1 + exp(-x))
Tensor gelu(const Tensor& x);     // x * (1 + erf(x / sqrt 2)) / 2

}  // namespace gf
