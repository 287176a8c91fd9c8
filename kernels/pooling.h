#pragma once
// Pooling on (n,h,w,c), any pixel stride. float32, the GPU bodies also bf16, one dtype for all maps of a call; index is
// i32. Outputs are assigned; averages are accumulated in double (CPU) or float32, in an order fixed by the shapes.
// Bytes at least, per element of the larger map and of the smaller, in float32: max forward 4 + 8, backward 8 + 4,
// unpooling the same; average 4 + 4.
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

// The way back for windows that lie side by side (kernel = stride, no padding; others are refused): y is zero but for
// y[index] = x. x has the shape max_pool_output(y), index comes from a max_pool_forward with the same windows; an entry
// that points outside its own window puts its value nowhere.
void max_unpool_forward(const Cpu&, const PoolShape&, ConstView x, ConstView index, View y);
// dx = dy[index]
void max_unpool_backward(const Cpu&, const PoolShape&, ConstView dy, ConstView index, View dx);

// Adaptive average pooling: output cell i of `out` covers input rows floor(i*in/out) .. ceil((i+1)*in/out) - 1. Any
// sizes, also to a larger map.
void adaptive_avg_pool_forward(const Cpu&, ConstView x, View y);
void adaptive_avg_pool_backward(const Cpu&, ConstView dy, View dx);

// The bodies of kernels/cuda/pooling.cu, compiled by the host compiler and by nvcc.
void max_pool_forward(const Simt&, const PoolShape&, ConstView x, View y, View index);
void max_pool_backward(const Simt&, const PoolShape&, ConstView dy, ConstView index, View dx);
void max_unpool_forward(const Simt&, const PoolShape&, ConstView x, ConstView index, View y);
void max_unpool_backward(const Simt&, const PoolShape&, ConstView dy, ConstView index, View dx);
void adaptive_avg_pool_forward(const Simt&, ConstView x, View y);
void adaptive_avg_pool_backward(const Simt&, ConstView dy, View dx);
void max_pool_forward(const Cuda&, const PoolShape&, ConstView x, View y, View index);
void max_pool_backward(const Cuda&, const PoolShape&, ConstView dy, ConstView index, View dx);
void max_unpool_forward(const Cuda&, const PoolShape&, ConstView x, ConstView index, View y);
void max_unpool_backward(const Cuda&, const PoolShape&, ConstView dy, ConstView index, View dx);
void adaptive_avg_pool_forward(const Cuda&, ConstView x, View y);
void adaptive_avg_pool_backward(const Cuda&, ConstView dy, View dx);

}  // namespace gf
