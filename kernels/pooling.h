#pragma once
// Pooling on (n,h,w,c) float32, any pixel stride. Outputs are assigned.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

struct PoolShape {
  int kernel = 2, stride = 2, pad = 0;

  bool operator==(const PoolShape&) const = default;
};

Shape max_pool_output(const Shape& x, const PoolShape& p);  // floor mode

// y = max over the window (padding never wins); index (n,oh,ow,c) i32 is h*w-linear position of the first maximum.
void max_pool_forward(const Cpu&, const PoolShape&, ConstView x, View y, View index);
// dx is assigned: sum of dy over the windows that chose the pixel.
void max_pool_backward(const Cpu&, const PoolShape&, ConstView dy, ConstView index, View dx);

// Adaptive average pooling: output cell i of `out` covers input rows floor(i*in/out) .. ceil((i+1)*in/out) - 1.
void adaptive_avg_pool_forward(const Cpu&, ConstView x, View y);
void adaptive_avg_pool_backward(const Cpu&, ConstView dy, View dx);

}  // namespace gf
