#include "kernels/matmul.h"

#include <algorithm>

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/mac_counter.h"
#include "engine/ops/matmul.h"
#include "kernels/error.h"

namespace gf {
namespace {

// A batch broadcast in the product is summed in the gradient.
Tensor unbatch(const Tensor& g, const Shape& to) { return g.shape() == to ? g : sum_to(g, to); }

}  // namespace

// y = a b:  da = dy b^T, db = a^T dy; with transposes the factors change places so that no data is transposed.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  const OpScope scope("matmul");
  const Shape &s = a.shape(), &t = b.shape();
  const std::int64_t rows = transpose_a ? s.c : s.w, inner = transpose_a ? s.w : s.c;
  const std::int64_t inner_b = transpose_b ? t.c : t.w, cols = transpose_b ? t.w : t.c;
  if (s.h != 1 || t.h != 1 || inner != inner_b || (s.n != t.n && s.n != 1 && t.n != 1))
    fail("matrix product of matrices that do not fit",
         s.str() + (transpose_a ? "^T" : "") + " * " + t.str() + (transpose_b ? "^T" : ""));
  require_one_dtype("matmul", a, b);
  Tensor y = Tensor::empty({std::max(s.n, t.n), 1, rows, cols}, a.dtype(), a.device());
  MacCounter::matrix_product(y.count() * inner);
  on(a.device(), [&](const auto& d) { matmul(d, transpose_a, transpose_b, a.view(), b.view(), y.mutable_view()); });
  return record("matmul", y, {a, b}, [a, b, ta = transpose_a, tb = transpose_b](const Tensor& dy, const Needs& needs) {
    std::vector<Tensor> g(2);
    if (needs[0]) g[0] = unbatch(ta ? matmul(b, dy, tb, true) : matmul(dy, b, false, !tb), a.shape());
    if (needs[1]) g[1] = unbatch(tb ? matmul(dy, a, true, ta) : matmul(a, dy, !ta, false), b.shape());
    return g;
  });
}

}  // namespace gf
