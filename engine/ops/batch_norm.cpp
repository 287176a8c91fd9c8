#include "engine/ops/batch_norm.h"

#include "engine/autograd.h"
#include "engine/ops/cast.h"
#include "kernels/elementwise.h"

namespace gf {
namespace {

ConstView view_or_null(const Tensor& t) { return t ? t.view() : ConstView{}; }

// The backward wants 1/std; in evaluation it comes from the running variance.
Tensor inverse_std(const Tensor& variance, float eps) {
  const Tensor one = Tensor::scalar(1.0f, variance.device());
  const Tensor y = Tensor::empty(variance.shape(), DType::f32, variance.device());
  on(variance.device(), [&](const auto& d) {
    unary(d, Unary::shift, eps, variance.view(), y.mutable_view());
    unary(d, Unary::sqrt, 0, y.view(), y.mutable_view());
    binary(d, Binary::div, one.view(), y.view(), y.mutable_view());
  });
  return y;
}

}  // namespace

// xhat = (x - mean) * inv_std, g = dy * act'(y):  dgamma = sum g xhat, dbeta = sum g, d_residual = g,
// dx = gamma inv_std (g - mean(g) - xhat mean(g xhat)) in training, gamma inv_std g in evaluation
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                  const Tensor& running_var, const BatchNormShape& p, bool training, const Tensor& residual) {
  require_one_dtype("batch_norm", x, residual);
  const Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  Tensor mean, inv_std;
  if (training) {
    mean = Tensor::empty(gamma.shape(), DType::f32, x.device());
    inv_std = Tensor::empty(gamma.shape(), DType::f32, x.device());
    on(x.device(), [&](const auto& d) {
      batch_norm_train(d, p, x.view(), gamma.view(), beta.view(), view_or_null(residual), running_mean.mutable_view(),
                       running_var.mutable_view(), mean.mutable_view(), inv_std.mutable_view(), y.mutable_view());
    });
  } else {
    on(x.device(), [&](const auto& d) {
      batch_norm_eval(d, p, x.view(), gamma.view(), beta.view(), view_or_null(residual), running_mean.view(),
                      running_var.view(), y.mutable_view());
    });
    if (recording()) {
      mean = running_mean.detach();
      inv_std = inverse_std(running_var, p.eps);
    }
  }
  return record(
      "batch_norm", y, {x, gamma, beta, residual},
      [x = x.detach(), y = y.detach(), gamma = gamma.detach(), mean, inv_std, p, training](const Tensor& dy,
                                                                                           const Needs& needs) {
        std::vector<Tensor> g(4);
        g[0] = Tensor::empty(x.shape(), x.dtype(), x.device());
        for (const int i : {1, 2}) g[i] = Tensor::empty(gamma.shape(), DType::f32, x.device());
        if (needs[3]) g[3] = Tensor::empty(x.shape(), x.dtype(), x.device());
        on(x.device(), [&](const auto& d) {
          batch_norm_backward(d, p, training, x.view(), y.view(), dy.view(), gamma.view(), mean.view(), inv_std.view(),
                              g[0].mutable_view(), g[1].mutable_view(), g[2].mutable_view(),
                              g[3] ? g[3].mutable_view() : View{});
        });
        return g;
      },
      Differentiable::once);
}

}  // namespace gf
