#pragma once
// Labels as masks: y[n,h,w,c] = 1 where label[n,h,w,0] = c, else 0. label (n,h,w,1) i32, y (n,h,w,C) float32, any pixel
// stride. A pixel whose label is ignore_index or no class of 0 .. C-1 is 0 in every channel. y is assigned.
// Deterministic. Bytes at least, a pixel: 4 of the label, 4 C written.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

void one_hot(const Cpu&, int ignore_index, ConstView label, View y);
// The bodies of kernels/cuda/one_hot.cu, compiled by the host compiler and by nvcc.
void one_hot(const Simt&, int ignore_index, ConstView label, View y);
void one_hot(const Cuda&, int ignore_index, ConstView label, View y);

}  // namespace gf
