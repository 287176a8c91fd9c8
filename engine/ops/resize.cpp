#include "engine/ops/resize.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/op_trace.h"

namespace gf {
namespace {

// The adjoint of resize, whose adjoint is resize again.
Tensor resize_adjoint(const Tensor& dy, const Shape& to, ResizeMode mode) {
  const OpScope scope("resize_adjoint");
  const Tensor dx = Tensor::empty(to, dy.dtype(), dy.device());
  on(dy.device(), [&](const auto& d) { resize_backward(d, mode, dy.view(), dx.mutable_view()); });
  return record("resize_adjoint", dx, {dy},
                [s = dy.shape(), mode](const Tensor& g, const Needs&) -> std::vector<Tensor> {
                  return {resize(g, s.h, s.w, mode)};
                });
}

}  // namespace

Tensor resize(const Tensor& x, std::int64_t height, std::int64_t width, ResizeMode mode) {
  const OpScope scope("resize");
  const Shape& s = x.shape();
  if (s.h == height && s.w == width) return x;
  const Tensor y = Tensor::empty({s.n, height, width, s.c}, x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { resize_forward(d, mode, x.view(), y.mutable_view()); });
  OpTrace::arguments(mode);
  return record("resize", y, {x}, [s, mode](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    return {resize_adjoint(dy, s, mode)};
  });
}

}  // namespace gf
