#include "engine/ops/batch_norm.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/op_trace.h"
#include "engine/ops/cast.h"
#include "engine/ops/mac_counter.h"
#include "engine/ops/place.h"
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
// dx = gamma inv_std (g - mean(g) - xhat mean(g xhat)) in training, gamma inv_std g in evaluation;
// prelu, z the sum before it: act'(.) is read from z, d_slope = sum dy min(z, 0)
Tensor batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                  const Tensor& running_var, const BatchNormShape& p, bool training, const Tensor& residual,
                  const Tensor& slope, const Tensor& into) {
  const OpScope scope("batch_norm");
  require_one_dtype("batch_norm", x, residual);
  MacCounter::batch_norm(x.shape());
  const Tensor y = place_for("batch_norm", into, x.shape(), x.dtype(), x.device());
  Tensor mean, inv_std;
  if (training) {
    mean = Tensor::empty(gamma.shape(), DType::f32, x.device());
    inv_std = Tensor::empty(gamma.shape(), DType::f32, x.device());
    on(x.device(), [&](const auto& d) {
      batch_norm_train(d, p, x.view(), gamma.view(), beta.view(), view_or_null(residual), running_mean.mutable_view(),
                       running_var.mutable_view(), mean.mutable_view(), inv_std.mutable_view(), y.mutable_view(),
                       view_or_null(slope));
    });
  } else {
    on(x.device(), [&](const auto& d) {
      batch_norm_eval(d, p, x.view(), gamma.view(), beta.view(), view_or_null(residual), running_mean.view(),
                      running_var.view(), y.mutable_view(), view_or_null(slope));
    });
    if (recording()) {
      mean = running_mean.detach();
      inv_std = inverse_std(running_var, p.eps);
    }
  }
  OpTrace::arguments(BatchNormArguments{p, training, running_mean, running_var});
  struct Saved {
    Tensor x, gamma, mean, inv_std;
    Tensor y;                      // where act'(.) is read from it
    Tensor slope, beta, residual;  // with prelu
  };
  Saved saved{x.detach(), gamma.detach(), mean, inv_std, {}, {}, {}, {}};
  if (reads_output(p.act)) saved.y = y.detach();
  if (p.act == NormActivation::prelu) {
    saved.slope = slope.detach();
    saved.beta = beta.detach();
    if (residual) saved.residual = residual.detach();
  }
  return record(
      "batch_norm", y, {x, gamma, beta, residual, slope},
      [saved, p, training](const Tensor& dy, const Needs& needs) {
        const Tensor& x = saved.x;
        const auto like = [&](const Tensor& t) { return Tensor::empty(t.shape(), t.dtype(), x.device()); };
        std::vector<Tensor> g{like(x), like(saved.gamma), like(saved.gamma), {}, {}};
        if (needs[3]) g[3] = like(x);
        if (saved.slope) g[4] = like(saved.slope);
        on(x.device(), [&](const auto& d) {
          PreluBackward prelu;
          if (saved.slope)
            prelu = {saved.slope.view(), saved.beta.view(), view_or_null(saved.residual), g[4].mutable_view()};
          batch_norm_backward(d, p, training, x.view(), view_or_null(saved.y), dy.view(), saved.gamma.view(),
                              saved.mean.view(), saved.inv_std.view(), g[0].mutable_view(), g[1].mutable_view(),
                              g[2].mutable_view(), g[3] ? g[3].mutable_view() : View{}, prelu);
        });
        return g;
      },
      Differentiable::once);
}

}  // namespace gf
