// Convolutions under the executor: depthwise ones by their own kernels, the others by the CPU's library.
#include "kernels/convolution.h"

#include "kernels/depthwise.h"
#include "kernels/elementwise.h"
#include "kernels/simt/recording.h"

namespace gf {

void convolution_forward(const Simt& device, const ConvolutionShape& p, ConstView x, ConstView w, ConstView bias,
                         View y, ConvolutionActivation act) {
  if (!is_depthwise(p, x.shape(), w.shape()))
    return simt::run_on_library(device, [=](const Cpu& cpu) { convolution_forward(cpu, p, x, w, bias, y, act); });
  depthwise_forward(device, p, x, w, bias, y);
  if (act == ConvolutionActivation::relu) unary(device, Unary::relu, 0, y, y);
}

void convolution_input_grad(const Simt& device, const ConvolutionShape& p, ConstView dy, ConstView w, ConstView bias,
                            View dx) {
  if (!is_depthwise(p, dx.shape(), w.shape()))
    return simt::run_on_library(device, [=](const Cpu& cpu) { convolution_input_grad(cpu, p, dy, w, bias, dx); });
  depthwise_input_grad(device, p, dy, w, dx);
  if (bias.data != nullptr) binary(device, Binary::add, dx, bias, dx);
}

void convolution_weight_grad(const Simt& device, const ConvolutionShape& p, ConstView x, ConstView dy, View dw,
                             View db) {
  if (!is_depthwise(p, x.shape(), dw.shape()))
    return simt::run_on_library(device, [=](const Cpu& cpu) { convolution_weight_grad(cpu, p, x, dy, dw, db); });
  depthwise_weight_grad(device, p, x, dy, dw, db);
}

}  // namespace gf
