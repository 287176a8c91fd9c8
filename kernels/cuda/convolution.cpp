// Convolutions on the GPU (contract: kernels/convolution.h): depthwise ones by their own kernels, the others cuDNN's,
// and around them the two sums it has no plan for.
#include "kernels/convolution.h"

#include "kernels/cudnn/convolution.h"
#include "kernels/depthwise_convolution.h"

namespace gf {
namespace {

cudnn::PlanFlags flags_of(const Cuda& cuda) { return {.deterministic = true, .tf32 = cuda.tf32}; }

}  // namespace

void convolution_forward(const Cuda& cuda, const ConvolutionShape& p, ConstView x, ConstView w, ConstView bias, View y,
                         ConvolutionActivation act, ConstView residual) {
  if (y.count() == 0 || took_depthwise_forward(cuda, p, x, w, bias, y, act, residual)) return;
  const bool gaps = has_gaps(x) || has_gaps(y) || has_gaps(residual);
  if (fuses_end(cuda, gaps, residual.data != nullptr))
    return cudnn::convolution_forward(cuda, flags_of(cuda), p, x, w, bias, y, act, residual);
  cudnn::convolution_forward(cuda, flags_of(cuda), p, x, w, {}, y);
  if (bias.data != nullptr) binary(cuda, Binary::add, y, bias, y);
  if (residual.data != nullptr) binary(cuda, Binary::add, y, residual, y);
  activate(cuda, act, y);
}

void convolution_input_grad(const Cuda& cuda, const ConvolutionShape& p, ConstView dy, ConstView w, ConstView bias,
                            View dx) {
  if (dx.count() == 0 || took_depthwise_input_grad(cuda, p, dy, w, bias, dx)) return;
  cudnn::convolution_input_grad(cuda, flags_of(cuda), p, dy, w, dx);
  if (bias.data != nullptr) binary(cuda, Binary::add, dx, bias, dx);
}

void convolution_weight_grad(const Cuda& cuda, const ConvolutionShape& p, ConstView x, ConstView dy, View dw, View db) {
  if (dy.count() == 0) {  // of no pictures: no library's business
    fill(cuda, 0.0f, dw);
    if (db.data != nullptr) fill(cuda, 0.0f, db);
    return;
  }
  if (took_depthwise_weight_grad(cuda, p, x, dy, dw, db)) return;
  cudnn::convolution_weight_grad(cuda, flags_of(cuda), p, x, dy, dw);
  if (db.data != nullptr) sum_to(cuda, 1.0f, dy, db);
}

}  // namespace gf
