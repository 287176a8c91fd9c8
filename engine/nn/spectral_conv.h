#pragma once
// A convolution whose weight is divided by its largest singular value, so that no layer stretches its input by more
// than one (spectral normalisation). With W the weight as a matrix (out, kh*kw*in), every call takes one step of the
// power method and keeps where it got to:
//   v = normalise(W^T u),  u = normalise(W v),  sigma = u . W v,  y = convolution(x, W / sigma) + bias
// with normalise(a) = a / (|a| + 1e-12). u and v are constants of the derivative: the gradient flows through sigma by
// W alone. v is worked out from u at the start of each call, so u is all the state there is: a buffer, which every call
// changes on the device, in evaluation too. Float32; twice differentiable.
// Source: Miyato et al. 2018, as used by self-attention GANs.
#include "engine/nn/convolution.h"

namespace gf {

struct SpectralConv2d : Conv2d {
  Tensor u;  // (1,1,1,out)

  SpectralConv2d(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k, const Options& options);
  Tensor operator()(const Tensor& x) const;

 protected:
  void initialise_own(std::uint64_t seed, const std::string& path) override;
};

}  // namespace gf
