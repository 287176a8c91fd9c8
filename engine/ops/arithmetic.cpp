#include "engine/ops/arithmetic.h"

#include <algorithm>

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/op_trace.h"
#include "engine/ops/cast.h"
#include "engine/ops/mac_counter.h"
#include "engine/ops/unary.h"
#include "kernels/elementwise.h"
#include "kernels/error.h"

namespace gf {
namespace {

std::int64_t joined(std::int64_t a, std::int64_t b, const Shape& sa, const Shape& sb) {
  if (a != b && a != 1 && b != 1) fail("shapes cannot be broadcast together", sa.str() + " and " + sb.str());
  return a == 1 ? b : a;
}

Tensor compute(const char* name, Binary op, const Tensor& a, const Tensor& b) {
  require_one_dtype(name, a, b);
  const Shape &s = a.shape(), &t = b.shape();
  Tensor y =
      Tensor::empty({joined(s.n, t.n, s, t), joined(s.h, t.h, s, t), joined(s.w, t.w, s, t), joined(s.c, t.c, s, t)},
                    a.dtype(), a.device());
  on(a.device(), [&](const auto& d) { binary(d, op, a.view(), b.view(), y.mutable_view()); });
  return y;
}

Tensor if_needed(bool needed, auto&& make) { return needed ? make() : Tensor(); }

}  // namespace

// d(a+b) = da + db
Tensor operator+(const Tensor& a, const Tensor& b) {
  const OpScope scope("add");
  return record("add", compute("add", Binary::add, a, b), {a, b},
                [sa = a.shape(), sb = b.shape()](const Tensor& dy, const Needs& needs) -> std::vector<Tensor> {
                  return {if_needed(needs[0], [&] { return sum_to(dy, sa); }),
                          if_needed(needs[1], [&] { return sum_to(dy, sb); })};
                });
}

// d(a-b) = da - db
Tensor operator-(const Tensor& a, const Tensor& b) {
  const OpScope scope("sub");
  return record("sub", compute("sub", Binary::sub, a, b), {a, b},
                [sa = a.shape(), sb = b.shape()](const Tensor& dy, const Needs& needs) -> std::vector<Tensor> {
                  return {if_needed(needs[0], [&] { return sum_to(dy, sa); }),
                          if_needed(needs[1], [&] { return sum_to(dy, sb, -1.0f); })};
                });
}

// d(ab) = b da + a db
Tensor operator*(const Tensor& a, const Tensor& b) {
  const OpScope scope("mul");
  return record("mul", compute("mul", Binary::mul, a, b), {a, b},
                [a, b](const Tensor& dy, const Needs& needs) -> std::vector<Tensor> {
                  return {if_needed(needs[0], [&] { return sum_to(dy * b, a.shape()); }),
                          if_needed(needs[1], [&] { return sum_to(dy * a, b.shape()); })};
                });
}

// d(a/b) = da / b - (a / b^2) db
Tensor operator/(const Tensor& a, const Tensor& b) {
  const OpScope scope("div");
  return record("div", compute("div", Binary::div, a, b), {a, b},
                [a, b](const Tensor& dy, const Needs& needs) -> std::vector<Tensor> {
                  return {if_needed(needs[0], [&] { return sum_to(dy / b, a.shape()); }),
                          if_needed(needs[1], [&] { return sum_to(dy * a / (b * b), b.shape(), -1.0f); })};
                });
}

// d(alpha x) = alpha dx
Tensor operator*(float alpha, const Tensor& x) {
  const OpScope scope("scale");
  OpTrace::arguments(alpha);
  return record("scale", apply_unary(Unary::scale, alpha, x), {x},
                [alpha](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {alpha * dy}; });
}
Tensor operator-(const Tensor& x) { return -1.0f * x; }

// d(x + a) = dx
Tensor operator+(const Tensor& x, float a) {
  const OpScope scope("shift");
  OpTrace::arguments(a);
  return record("shift", apply_unary(Unary::shift, a, x), {x},
                [](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {dy}; });
}

// d exp(x) = exp(x) dx. The saved result is off the tape; where the gradient itself is taped it is computed anew from
// x.
Tensor exp(const Tensor& x) {
  const OpScope scope("exp");
  const Tensor y = apply_unary(Unary::exp, 0, x);
  return record("exp", y, {x}, [x, y = y.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    return {dy * (recording() ? exp(x) : y)};
  });
}

// d log(x) = dx / x
Tensor log(const Tensor& x) {
  const OpScope scope("log");
  return record("log", apply_unary(Unary::log, 0, x), {x},
                [x](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {dy / x}; });
}

// d sqrt(x) = dx / (2 sqrt(x))
Tensor sqrt(const Tensor& x) {
  const OpScope scope("sqrt");
  const Tensor y = apply_unary(Unary::sqrt, 0, x);
  return record("sqrt", y, {x}, [x, y = y.detach()](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
    return {0.5f * (dy / (recording() ? sqrt(x) : y))};
  });
}

// d x^2 = 2 x dx
Tensor square(const Tensor& x) {
  const OpScope scope("square");
  return record("square", apply_unary(Unary::square, 0, x), {x},
                [x](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {2.0f * (dy * x)}; });
}

namespace {

// d sum(x) = broadcast of dy. The result may be float32 where x is bf16.
Tensor sum_as(DType dtype, const Tensor& x, const Shape& to, float alpha) {
  const OpScope scope("sum_to");
  if (x.shape() == to) return cast(alpha == 1.0f ? x : alpha * x, dtype);
  if (to.n == x.shape().n && to.c == x.shape().c) MacCounter::average(x.shape(), to);
  Tensor y = Tensor::empty(to, dtype, x.device());
  on(x.device(), [&](const auto& d) { sum_to(d, alpha, x.view(), y.mutable_view()); });
  OpTrace::arguments(alpha);
  return record("sum_to", y, {x},
                [s = x.shape(), from = x.dtype(), alpha](const Tensor& dy, const Needs&) -> std::vector<Tensor> {
                  return {broadcast_to(cast(alpha == 1.0f ? dy : alpha * dy, from), s)};
                });
}

}  // namespace

Tensor sum_to(const Tensor& x, const Shape& to, float alpha) { return sum_as(x.dtype(), x, to, alpha); }

Tensor sum(const Tensor& x) { return sum_to(x, {}); }
Tensor mean(const Tensor& x) { return sum_to(x, {}, 1.0f / static_cast<float>(std::max<std::int64_t>(x.count(), 1))); }
Tensor spatial_mean(const Tensor& x) {
  const Shape& s = x.shape();
  return sum_as(DType::f32, x, {s.n, 1, 1, s.c}, 1.0f / static_cast<float>(std::max<std::int64_t>(s.h * s.w, 1)));
}

// d broadcast(x) = sum of dy over the repeated axes
Tensor broadcast_to(const Tensor& x, const Shape& to) {
  const OpScope scope("broadcast_to");
  if (x.shape() == to) return x;
  const Tensor zero = Tensor::zeros(to, x.device(), x.dtype());
  return record("broadcast_to", compute("broadcast_to", Binary::add, zero, x), {x},
                [s = x.shape()](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {sum_to(dy, s)}; });
}

}  // namespace gf
