// Convolutions under the executor: depthwise ones by their own kernels, the others by the CPU's library.
#include "kernels/convolution.h"

#include "kernels/depthwise.h"
#include "kernels/elementwise.h"

namespace gf {

void convolution_forward(const Simt& simt, const ConvolutionShape& p, ConstView x, ConstView w, ConstView bias, View y,
                         ConvolutionActivation act, ConstView residual) {
  if (!is_depthwise(p, x.shape(), w.shape()))
    return convolution_forward(library_device(simt), p, x, w, bias, y, act, residual);
  depthwise_forward(simt, p, x, w, bias, y);
  if (residual.data) binary(simt, Binary::add, y, residual, y);
  if (act == ConvolutionActivation::relu) unary(simt, Unary::relu, 0, y, y);
}

void convolution_input_grad(const Simt& simt, const ConvolutionShape& p, ConstView dy, ConstView w, ConstView bias,
                            View dx) {
  if (!is_depthwise(p, dx.shape(), w.shape())) return convolution_input_grad(library_device(simt), p, dy, w, bias, dx);
  depthwise_input_grad(simt, p, dy, w, dx);
  if (bias.data != nullptr) binary(simt, Binary::add, dx, bias, dx);
}

void convolution_weight_grad(const Simt& simt, const ConvolutionShape& p, ConstView x, ConstView dy, View dw, View db) {
  if (!is_depthwise(p, x.shape(), dw.shape())) return convolution_weight_grad(library_device(simt), p, x, dy, dw, db);
  depthwise_weight_grad(simt, p, x, dy, dw, db);
}

}  // namespace gf
