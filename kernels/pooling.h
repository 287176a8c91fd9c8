#pragma once
// Pooling on (n,h,w,c) float32, any pixel stride. Outputs are assigned; averages are accumulated in double.
// Bytes at least, per element of the larger map and of the smaller: max forward 4 + 8, backward 8 + 4; average 4 + 4.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

struct PoolShape {
  int kernel = 2, stride = 2, pad = 0;

  bool operator==(const PoolShape&) const = default;
};

// Floor mode; throws where the padding exceeds half the window or the window the map.
Shape max_pool_output(const Shape& x, const PoolShape& p);

// y = max over the window (padding never wins); index (n,oh,ow,c) i32 is the position h * width + w of the first
// maximum. As in PyTorch a NaN is larger than everything; the window's first NaN is taken.
void max_pool_forward(const Cpu&, const PoolShape&, ConstView x, View y, View index);
// dx is assigned: sum of dy over the windows that chose the pixel.
void max_pool_backward(const Cpu&, const PoolShape&, ConstView dy, ConstView index, View dx);

// Adaptive average pooling: output cell i of `out` covers input rows floor(i*in/out) .. ceil((i+1)*in/out) - 1. Any
// sizes, also to a larger map.
void adaptive_avg_pool_forward(const Cpu&, ConstView x, View y);
void adaptive_avg_pool_backward(const Cpu&, ConstView dy, View dx);

}  // namespace gf
