#include "engine/nn/standardised_conv.h"

#include "engine/ops/cast.h"
#include "engine/ops/convolution.h"
#include "engine/ops/layer_norm.h"
#include "engine/ops/mac_counter.h"

namespace gf {

Tensor StandardisedConv2d::operator()(const Tensor& x) const {
  constexpr float kEps = 1e-5f;
  Tensor standardised = frozen() && kept_ && same_device(kept_.device(), x.device()) ? kept_ : Tensor();
  if (!standardised) standardised = standardise_weight(weight, kEps);
  if (frozen()) kept_ = standardised;
  const Tensor w = weights_as(standardised, x.dtype());
  MacCounter::stands_for(w.view().data, weight.view().data);
  return convolution(x, w, weights_as(bias, x.dtype()), shape);
}

}  // namespace gf
