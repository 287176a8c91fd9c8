#pragma once
// Pooling (kernels/pooling.h). Differentiable once.
#include "engine/tensor.h"
#include "kernels/pooling.h"

namespace gf {

Tensor max_pool(const Tensor& x, const PoolShape& p = {});
Tensor adaptive_avg_pool(const Tensor& x, std::int64_t height, std::int64_t width);

}  // namespace gf
