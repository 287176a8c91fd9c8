#pragma once
// A map in the upper left corner of a larger one, zeros below and to the right of it, and the way back. float32 or
// bf16, one dtype for both maps, any pixel stride. y is assigned and may not alias x. Bytes at least: 4 (bf16: 2) per
// element of the smaller map twice and of the padding once.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

// y[n,i,j,c] = x[n,i,j,c] where i < x.h and j < x.w, else 0; y at least as high and wide as x
void pad_corner(const Cpu&, ConstView x, View y);
// y[n,i,j,c] = x[n,i,j,c]; y at most as high and wide as x. Each is the other's adjoint.
void crop_corner(const Cpu&, ConstView x, View y);

// The bodies of kernels/cuda/pad.cu, compiled by the host compiler and by nvcc.
void pad_corner(const Simt&, ConstView x, View y);
void crop_corner(const Simt&, ConstView x, View y);
void pad_corner(const Cuda&, ConstView x, View y);
void crop_corner(const Cuda&, ConstView x, View y);

}  // namespace gf
