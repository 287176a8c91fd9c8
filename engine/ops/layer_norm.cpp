#include "engine/ops/layer_norm.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/shape.h"
#include "kernels/layer_norm.h"

namespace gf {
namespace {

ConstView view_or_null(const Tensor& t) { return t ? t.view() : ConstView{}; }

// Pixels of x; gamma and beta may both be empty.
//   g = gamma dy:  dx = inv_std (g - mean(g) - x^ mean(g x^)),  dgamma = sum dy x^,  dbeta = sum dy
Tensor normalise(const char* name, const Tensor& x, const Tensor& gamma, const Tensor& beta, float eps) {
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  const Shape per_pixel{x.shape().n, x.shape().h, x.shape().w, 1};
  const Tensor mean = Tensor::empty(per_pixel, DType::f32, x.device()),
               inv_std = Tensor::empty(per_pixel, DType::f32, x.device());
  on(x.device(), [&](const auto& d) {
    layer_norm_forward(d, eps, x.view(), view_or_null(gamma), view_or_null(beta), mean.mutable_view(),
                       inv_std.mutable_view(), y.mutable_view());
  });
  return record(
      name, y, {x, gamma, beta},
      [x = x.detach(), gamma = gamma ? gamma.detach() : gamma, mean, inv_std](const Tensor& dy, const Needs&) {
        std::vector<Tensor> g(3);
        g[0] = Tensor::empty(x.shape(), x.dtype(), x.device());
        if (gamma)
          for (const std::size_t i : {1, 2}) g[i] = Tensor::empty(gamma.shape(), DType::f32, x.device());
        const auto place = [](const Tensor& t) { return t ? t.mutable_view() : View{}; };
        on(x.device(), [&](const auto& d) {
          layer_norm_backward(d, x.view(), view_or_null(gamma), dy.view(), mean.view(), inv_std.view(), place(g[0]),
                              place(g[1]), place(g[2]));
        });
        return g;
      },
      Differentiable::once);
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, float eps) {
  const OpScope scope("layer_norm");
  return normalise("layer_norm", x, gamma, beta, eps);
}

Tensor standardise_weight(const Tensor& w, float eps) {
  const OpScope scope("standardise_weight");
  const Shape s = w.shape();
  const Tensor rows = reshape(w, {1, 1, s.n, s.h * s.w * s.c});
  return reshape(normalise("standardise_weight", rows, {}, {}, eps), s);
}

}  // namespace gf
