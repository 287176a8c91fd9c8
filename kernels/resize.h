#pragma once
// Resize of (n,h,w,c), any pixel stride, to y's height and width (up or down, no antialiasing). float32, the GPU bodies
// also bf16, one dtype for both maps.
//   nearest:            source = floor(i * in / out), exact                       (PyTorch's "nearest")
//   bilinear:           source = max(0, (i + 0.5) * in / out - 0.5)               (align_corners = false)
//   bilinear_corners:   source = i * (in - 1) / (out - 1), 0 where out is 1       (align_corners = true)
// PyTorch works positions out in float32, here they are exact: results can differ by 1e-6 of the position, and
// "nearest" in the rare case where its rounding crosses a pixel. The backward is the exact adjoint; its result is
// assigned, its sums have a fixed order. Bytes at least: 4 (bf16: 2) per element of both maps.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

enum class ResizeMode { nearest, bilinear, bilinear_corners };

void resize_forward(const Cpu&, ResizeMode, ConstView x, View y);
void resize_backward(const Cpu&, ResizeMode, ConstView dy, View dx);

// The bodies of kernels/cuda/resize.cu, compiled by the host compiler and by nvcc.
void resize_forward(const Simt&, ResizeMode, ConstView x, View y);
void resize_backward(const Simt&, ResizeMode, ConstView dy, View dx);
void resize_forward(const Cuda&, ResizeMode, ConstView x, View y);
void resize_backward(const Cuda&, ResizeMode, ConstView dy, View dx);

}  // namespace gf
