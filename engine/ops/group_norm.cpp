#include "engine/ops/group_norm.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/cast.h"

namespace gf {

// x^ = (x - mean) * inv_std per group, g = dy * act'(y):  d_residual = g, dgamma = sum g x^, dbeta = sum g,
// dx = inv_std (gamma g - mean(gamma g) - x^ mean(gamma g x^)), means over a picture's group
Tensor group_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const GroupNormShape& p,
                  const Tensor& residual) {
  const OpScope scope("group_norm");
  require_one_dtype("group_norm", x, residual);
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  const Shape per_group{x.shape().n, 1, 1, p.groups};
  const Tensor mean = Tensor::empty(per_group, DType::f32, x.device()),
               inv_std = Tensor::empty(per_group, DType::f32, x.device());
  on(x.device(), [&](const auto& d) {
    group_norm_forward(d, p, x.view(), gamma.view(), beta.view(), residual ? residual.view() : ConstView{},
                       mean.mutable_view(), inv_std.mutable_view(), y.mutable_view());
  });
  return record(
      "group_norm", y, {x, gamma, beta, residual},
      [x = x.detach(), y = p.relu ? y.detach() : Tensor(), gamma = gamma.detach(), mean, inv_std, p](
          const Tensor& dy, const Needs& needs) {
        const auto like = [&](const Tensor& t) { return Tensor::empty(t.shape(), t.dtype(), x.device()); };
        std::vector<Tensor> g{like(x), like(gamma), like(gamma), {}};
        if (needs[3]) g[3] = like(x);
        on(x.device(), [&](const auto& d) {
          group_norm_backward(d, p, x.view(), y ? y.view() : ConstView{}, dy.view(), gamma.view(), mean.view(),
                              inv_std.view(), g[0].mutable_view(), g[1].mutable_view(), g[2].mutable_view(),
                              g[3] ? g[3].mutable_view() : View{});
        });
        return g;
      },
      Differentiable::once);
}

}  // namespace gf
