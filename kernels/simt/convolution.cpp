// Convolutions under the executor: depthwise ones by their own kernels, the others by the CPU's library.
#include "kernels/convolution.h"

#include "kernels/check.h"
#include "kernels/depthwise_convolution.h"
#include "kernels/simt/library.h"

namespace gf {
namespace {

using simt::WideInput, simt::WideOutput;

// One dtype for all, as on a GPU.
void require_dtypes(const char* kernel, const ConstView& x, const ConstView& w, const ConstView& y,
                    const ConstView& bias) {
  require_float(kernel, "x", x);
  require_like(kernel, "w", w, x);
  require_like(kernel, "y", y, x);
  require_dense(kernel, "w", w);
  if (bias.data != nullptr) require_like(kernel, "bias", bias, x);
}

}  // namespace

void convolution_forward(const Simt& device, const ConvolutionShape& p, ConstView x, ConstView w, ConstView bias,
                         View y, ConvolutionActivation act, ConstView residual) {
  require_dtypes("convolution_forward", x, w, y, bias);
  if (residual.data != nullptr) require_like("convolution_forward", "residual", residual, x);
  if (took_depthwise_forward(device, p, x, w, bias, y, act, residual)) return;
  simt::run_on_library(device, [=](const Cpu& cpu) {
    const WideOutput out(y);
    convolution_forward(cpu, p, WideInput(x), WideInput(w), WideInput(bias), out, act, WideInput(residual));
    out.round();
  });
}

void convolution_input_grad(const Simt& device, const ConvolutionShape& p, ConstView dy, ConstView w, ConstView bias,
                            View dx) {
  require_dtypes("convolution_input_grad", dx, w, dy, bias);
  if (took_depthwise_input_grad(device, p, dy, w, bias, dx)) return;
  simt::run_on_library(device, [=](const Cpu& cpu) {
    const WideOutput out(dx);
    convolution_input_grad(cpu, p, WideInput(dy), WideInput(w), WideInput(bias), out);
    out.round();
  });
}

void convolution_weight_grad(const Simt& device, const ConvolutionShape& p, ConstView x, ConstView dy, View dw,
                             View db) {
  require_dtypes("convolution_weight_grad", x, dw, dy, db);
  if (took_depthwise_weight_grad(device, p, x, dy, dw, db)) return;
  simt::run_on_library(device, [=](const Cpu& cpu) {
    const WideOutput out(dw), bias(db);
    convolution_weight_grad(cpu, p, WideInput(x), WideInput(dy), out, bias);
    out.round();
    bias.round();
  });
}

}  // namespace gf
