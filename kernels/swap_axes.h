#pragma once
// Height and width of a map exchanged: y[n,j,i,c] = x[n,i,j,c]. With tokens along h and heads along w, how attention
// gets every head's tokens together. float32 or bf16, one dtype for both maps, any pixel stride. y is assigned and may
// not alias x. Bytes at least: 4 (bf16: 2) per element of both maps.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

void swap_height_width(const Cpu&, ConstView x, View y);
// The bodies of kernels/cuda/swap_axes.cu, compiled by the host compiler and by nvcc.
void swap_height_width(const Simt&, ConstView x, View y);
void swap_height_width(const Cuda&, ConstView x, View y);

}  // namespace gf
