#include "engine/ops/cast.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "kernels/elementwise.h"
#include "kernels/error.h"

namespace gf {
namespace {

Tensor converted(const Tensor& x, DType to) {
  if (const Tensor shadow = x.shadow(); shadow && to == DType::bf16) return shadow.detach();
  const Tensor y = Tensor::empty(x.shape(), to, x.device());
  on(x.device(), [&](const auto& d) { copy(d, x.view(), y.mutable_view()); });
  return y;
}

}  // namespace

// d cast(x) = dx
Tensor cast(const Tensor& x, DType to) {
  const OpScope scope("cast");
  if (x.dtype() == to) return x;
  return record("cast", converted(x, to), {x},
                [from = x.dtype()](const Tensor& dy, const Needs&) -> std::vector<Tensor> { return {cast(dy, from)}; });
}

Tensor weights_as(const Tensor& w, DType dtype) {
  if (!w || w.dtype() == dtype) return w;
  if (!w.requires_grad() && !w.shadow()) w.set_shadow(cast(w, dtype));
  return cast(w, dtype);
}

void require_one_dtype(const char* op, const Tensor& a, const Tensor& b) {
  if (!b || a.dtype() == b.dtype()) return;
  const auto text = [](const Tensor& t) { return std::string(name_of(t.dtype())) + " " + t.shape().str(); };
  fail(std::string(op) + ": inputs of two dtypes", text(a) + " and " + text(b), "one dtype", "", "cast one of them");
}

}  // namespace gf
