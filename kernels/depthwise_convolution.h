#pragma once
// The part of convolution.h that the depthwise kernels serve on a GPU and under the executor: which calls those are,
// and around the kernels what they lack. A function returns whether it has done the call.
#include "kernels/convolution_activation.h"
#include "kernels/depthwise.h"
#include "kernels/elementwise.h"

namespace gf {

// In bf16 the bias is bf16 as everything is (convolution.h), which the kernels do not take: it is added after them.
template <class Gpu>
bool took_depthwise_forward(const Gpu& gpu, const ConvolutionShape& p, ConstView x, ConstView w, ConstView bias, View y,
                            ConvolutionActivation act, ConstView residual) {
  if (!is_depthwise(p, x.shape(), w.shape())) return false;
  const bool apart = bias.data != nullptr && bias.dtype == DType::bf16;
  depthwise_forward(gpu, p, x, w, apart ? ConstView{} : bias, y);
  if (apart) binary(gpu, Binary::add, y, bias, y);
  if (residual.data != nullptr) binary(gpu, Binary::add, y, residual, y);
  activate(gpu, act, y);
  return true;
}

template <class Gpu>
bool took_depthwise_input_grad(const Gpu& gpu, const ConvolutionShape& p, ConstView dy, ConstView w, ConstView bias,
                               View dx) {
  if (!is_depthwise(p, dx.shape(), w.shape())) return false;
  depthwise_input_grad(gpu, p, dy, w, dx);
  if (bias.data != nullptr) binary(gpu, Binary::add, dx, bias, dx);
  return true;
}

template <class Gpu>
bool took_depthwise_weight_grad(const Gpu& gpu, const ConvolutionShape& p, ConstView x, ConstView dy, View dw,
                                View db) {
  if (!is_depthwise(p, x.shape(), dw.shape())) return false;
  const bool apart = db.data != nullptr && db.dtype == DType::bf16;
  depthwise_weight_grad(gpu, p, x, dy, dw, apart ? View{} : db);
  if (apart) sum_to(gpu, 1.0f, dy, db);
  return true;
}

}  // namespace gf
