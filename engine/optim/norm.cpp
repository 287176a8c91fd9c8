#include "engine/optim/norm.h"

#include "kernels/optimizer.h"

namespace gf {
namespace {

double squares(const Cpu& cpu, const Tensor& t) { return sum_of_squares(cpu, t.view()); }

template <class Gpu>
double squares(const Gpu& gpu, const Tensor& t) {
  const Tensor norm = Tensor::empty({}, DType::f32, t.device());
  gradient_norm(gpu, t.view(), norm.mutable_view());
  const double n = norm.item();
  return n * n;
}

}  // namespace

double squared_norm(const Tensor& t) {
  return on(t.device(), [&](const auto& d) { return squares(d, t); });
}

}  // namespace gf
