#include "engine/nn/conv_norm.h"

#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/convolution.h"

namespace gf {
namespace {

Conv2d::Folded fold(const Conv2d& conv, const BatchNorm2d& bn) {
  const NoGrad off;
  const Tensor gain = bn.weight / sqrt(bn.running_var + bn.shape.eps);
  const Tensor centred = conv.bias ? conv.bias - bn.running_mean : -1.0f * bn.running_mean;
  return {conv.weight * gain.view_shape({gain.count(), 1, 1, 1}), gain * centred + bn.bias};
}

const Conv2d::Folded& folded(const Conv2d& conv, const BatchNorm2d& bn, const Device& device) {
  if (!conv.folded.weight || !same_device(conv.folded.weight.device(), device)) conv.folded = fold(conv, bn);
  return conv.folded;
}

// What a convolution can do itself.
std::optional<ConvolutionActivation> activation_of(NormActivation act) {
  switch (act) {
    case NormActivation::none:
      return ConvolutionActivation::none;
    case NormActivation::relu:
      return ConvolutionActivation::relu;
    case NormActivation::relu6:
      return ConvolutionActivation::relu6;
    default:
      return {};
  }
}

}  // namespace

std::optional<FoldedConvolution> folded_convolution(const Conv2d& conv, const BatchNorm2d& bn, const Tensor& x) {
  const auto act = activation_of(bn.shape.act);
  if (!act || !bn.frozen() || !conv.frozen() || bn.training() || x.requires_grad() ||
      (x.dtype() != DType::f32 && !bn.folds_bf16()))
    return {};
  const Conv2d::Folded& f = folded(conv, bn, x.device());
  return FoldedConvolution{weights_as(f.weight, x.dtype()), weights_as(f.bias, x.dtype()), conv.shape, *act};
}

Tensor conv_norm(const Conv2d& conv, const BatchNorm2d& bn, const Tensor& x, const Tensor& residual,
                 const Tensor& into) {
  const bool gaps = has_gaps(x.view()) || (into && has_gaps(into.view())) || (residual && has_gaps(residual.view()));
  const bool saves = on(x.device(), [&](const auto& d) { return fuses_end(d, gaps, static_cast<bool>(residual)); });
  if (saves && !(residual && residual.requires_grad()))
    if (const auto f = folded_convolution(conv, bn, x))
      return convolution_inference(x, f->weight, f->bias, f->shape, f->act, residual, into);
  return bn(conv(x), residual, into);
}

}  // namespace gf
