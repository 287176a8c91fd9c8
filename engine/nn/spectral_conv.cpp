#include "engine/nn/spectral_conv.h"

#include "engine/autograd.h"
#include "engine/nn/init.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/convolution.h"
#include "engine/ops/mac_counter.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"
#include "kernels/elementwise.h"

namespace gf {
namespace {

constexpr float kEps = 1e-12f;

Tensor normalised(const Tensor& x) { return x / (sqrt(sum(square(x))) + kEps); }

void overwrite(const Tensor& state, const Tensor& value) {
  on(state.device(), [&](const auto& d) { copy(d, value.view(), state.mutable_view()); });
}

}  // namespace

SpectralConv2d::SpectralConv2d(const Owner& owner, std::int64_t in, std::int64_t out, Kernel k, const Options& options)
    : Conv2d(owner, in, out, k, options) {
  u = buffer("u", {1, 1, 1, out}, 1.0f);
}

Tensor SpectralConv2d::operator()(const Tensor& x) const {
  const Shape& s = weight.shape();
  const Tensor w = reshape(weight, {1, 1, s.n, s.h * s.w * s.c});
  const auto next = [&](const Tensor& product) {
    const NoGrad off;
    return normalised(product);
  };
  // Rows instead of columns: v^T = normalise(u^T W), then (W v)^T = v^T W^T. The tape keeps tensors of its own: the
  // buffer changes with the next call.
  const Tensor v = next(matmul(u, w.detach()));
  const Tensor stretched = matmul(v, w, false, true);
  const Tensor found = next(stretched.detach());
  overwrite(u, found);
  const Tensor normed = weight / sum(found * stretched);
  MacCounter::stands_for(normed.view().data, weight.view().data);
  return convolution(x, normed, bias, shape);
}

void SpectralConv2d::initialise_own(std::uint64_t seed, const std::string& path) {
  Conv2d::initialise_own(seed, path);
  const NoGrad off;
  init_normal(u, 1.0f, seed, path + ".u");
  overwrite(u, normalised(u));
}

}  // namespace gf
