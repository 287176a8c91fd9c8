#pragma once
// Maxima over the cells of a grid laid on (n,h,w,c), any pixel stride: cell i of `out` covers rows floor(i*in/out) ..
// ceil((i+1)*in/out) - 1, columns alike (PyTorch's adaptive pooling), whatever the sizes. float32, the GPU bodies also
// bf16, one dtype for both maps; index is i32. Outputs are assigned and alias nothing. Deterministic.
// Bytes at least: the larger map once, per element of the smaller one 4 (bf16: 2) + 4.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

// y = max over the cell; index, of y's shape, is the position h * width + w of the first maximum. A NaN is larger than
// everything; the cell's first NaN is taken.
void adaptive_max_pool_forward(const Cpu&, ConstView x, View y, View index);
// dx = sum of dy over the cells that chose the pixel, 0 where none did.
void adaptive_max_pool_backward(const Cpu&, ConstView dy, ConstView index, View dx);

// The bodies of kernels/cuda/adaptive_max_pool.cu, compiled by the host compiler and by nvcc.
void adaptive_max_pool_forward(const Simt&, ConstView x, View y, View index);
void adaptive_max_pool_backward(const Simt&, ConstView dy, ConstView index, View dx);
void adaptive_max_pool_forward(const Cuda&, ConstView x, View y, View index);
void adaptive_max_pool_backward(const Cuda&, ConstView dy, ConstView index, View dx);

}  // namespace gf
