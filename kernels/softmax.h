#pragma once
// Softmax over channels of (n,h,w,c) float32, any pixel stride; the maximum is subtracted first. Outputs are assigned
// and may alias inputs. A NaN among a pixel's channels makes all of them NaN. Deterministic. The GPU bodies also take
// bf16, one dtype for all views of a call (worked in float32, rounded once).
// Least work: each input read once, each output written once.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

void softmax(const Cpu&, ConstView x, View y);
void log_softmax(const Cpu&, ConstView x, View y);
// dx = y * (dy - sum_c dy * y), y = softmax(x)
void softmax_backward(const Cpu&, ConstView y, ConstView dy, View dx);
// label[n,h,w,0] = index of the first largest channel, a NaN being larger than everything; label i32
void argmax_channels(const Cpu&, ConstView x, View label);

// The bodies of kernels/cuda/softmax.cu, compiled by the host compiler and by nvcc.
void softmax(const Simt&, ConstView x, View y);
void log_softmax(const Simt&, ConstView x, View y);
void softmax_backward(const Simt&, ConstView y, ConstView dy, View dx);
void argmax_channels(const Simt&, ConstView x, View label);
void softmax(const Cuda&, ConstView x, View y);
void log_softmax(const Cuda&, ConstView x, View y);
void softmax_backward(const Cuda&, ConstView y, ConstView dy, View dx);
void argmax_channels(const Cuda&, ConstView x, View label);

}  // namespace gf
