#include "engine/ops/pooling.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/op_trace.h"
#include "engine/ops/mac_counter.h"
#include "kernels/adaptive_max_pool.h"

namespace gf {

// dx gets dy where the maximum was found
MaxPooled max_pool_with_index(const Tensor& x, const PoolShape& p) {
  const OpScope scope("max_pool");
  const Tensor y = Tensor::empty(max_pool_output(x.shape(), p), x.dtype(), x.device());
  const Tensor index = Tensor::empty(y.shape(), DType::i32, x.device());
  on(x.device(), [&](const auto& d) { max_pool_forward(d, p, x.view(), y.mutable_view(), index.mutable_view()); });
  OpTrace::arguments(MaxPoolArguments{p, index});
  const Tensor values = record(
      "max_pool", y, {x},
      [p, index, s = x.shape()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
        const Tensor dx = Tensor::empty(s, dy.dtype(), dy.device());
        on(dy.device(), [&](const auto& d) { max_pool_backward(d, p, dy.view(), index.view(), dx.mutable_view()); });
        return {dx};
      },
      Differentiable::once);
  return {values, index};
}

Tensor max_pool(const Tensor& x, const PoolShape& p) { return max_pool_with_index(x, p).values; }

// dx picks dy where the values went
Tensor max_unpool(const Tensor& x, const Tensor& index, const PoolShape& p, const Shape& to) {
  const OpScope scope("max_unpool");
  const Tensor y = Tensor::empty(to, x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { max_unpool_forward(d, p, x.view(), index.view(), y.mutable_view()); });
  OpTrace::arguments(MaxPoolArguments{p, index});
  return record(
      "max_unpool", y, {x},
      [p, index = index.detach(), s = x.shape()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
        const Tensor dx = Tensor::empty(s, dy.dtype(), dy.device());
        on(dy.device(), [&](const auto& d) { max_unpool_backward(d, p, dy.view(), index.view(), dx.mutable_view()); });
        return {dx};
      },
      Differentiable::once);
}

// dx gets dy where the maximum was found
Tensor adaptive_max_pool(const Tensor& x, std::int64_t height, std::int64_t width) {
  const OpScope scope("adaptive_max_pool");
  const Shape& s = x.shape();
  const Tensor y = Tensor::empty({s.n, height, width, s.c}, x.dtype(), x.device());
  const Tensor index = Tensor::empty(y.shape(), DType::i32, x.device());
  on(x.device(),
     [&](const auto& d) { adaptive_max_pool_forward(d, x.view(), y.mutable_view(), index.mutable_view()); });
  return record(
      "adaptive_max_pool", y, {x},
      [s, index](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
        const Tensor dx = Tensor::empty(s, dy.dtype(), dy.device());
        on(dy.device(),
           [&](const auto& d) { adaptive_max_pool_backward(d, dy.view(), index.view(), dx.mutable_view()); });
        return {dx};
      },
      Differentiable::once);
}

// dx spreads dy / area over each cell
Tensor adaptive_avg_pool(const Tensor& x, std::int64_t height, std::int64_t width) {
  const OpScope scope("adaptive_avg_pool");
  const Shape& s = x.shape();
  const Tensor y = Tensor::empty({s.n, height, width, s.c}, x.dtype(), x.device());
  MacCounter::average(s, y.shape());
  on(x.device(), [&](const auto& d) { adaptive_avg_pool_forward(d, x.view(), y.mutable_view()); });
  return record(
      "adaptive_avg_pool", y, {x},
      [s](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
        const Tensor dx = Tensor::empty(s, dy.dtype(), dy.device());
        on(dy.device(), [&](const auto& d) { adaptive_avg_pool_backward(d, dy.view(), dx.mutable_view()); });
        return {dx};
      },
      Differentiable::once);
}

}  // namespace gf
