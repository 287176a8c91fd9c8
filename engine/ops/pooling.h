#pragma once
// Pooling (kernels/pooling.h, kernels/adaptive_max_pool.h). Differentiable once.
#include "engine/tensor.h"
#include "kernels/pooling.h"

namespace gf {

// What an op trace (op_trace.h) knows of max_pool, whose index is a result, and of max_unpool, whose index is an input.
struct MaxPoolArguments {
  PoolShape shape;
  Tensor index;
};

Tensor max_pool(const Tensor& x, const PoolShape& p = {});
struct MaxPooled {
  Tensor values, index;  // index: i32, h * width + w of each maximum in x; on no tape
};
MaxPooled max_pool_with_index(const Tensor& x, const PoolShape& p = {});
// The way back: a map of shape `to` (that of the tensor that was pooled) that is zero but for x at the places of
// `index`. Windows must lie side by side: kernel = stride, no padding.
Tensor max_unpool(const Tensor& x, const Tensor& index, const PoolShape& p, const Shape& to);
// Of height x width cells; down to a few cells in two steps, coarse ones first (a cell is one thread's work).
Tensor adaptive_max_pool(const Tensor& x, std::int64_t height, std::int64_t width);
Tensor adaptive_avg_pool(const Tensor& x, std::int64_t height, std::int64_t width);

}  // namespace gf
