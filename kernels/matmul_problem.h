#pragma once
// A matrix product as libraries are told of it. Shared by the bodies of matmul.h.
#include <algorithm>

#include "kernels/check.h"

namespace gf {

// y[b] = a[b] * b[b]; each matrix given by the distance between rows, columns and batch entries (0: broadcast).
struct MatmulProblem {
  std::int64_t batch = 1, rows = 0, columns = 0, inner = 0;
  std::int64_t a_batch = 0, a_row = 0, a_column = 0;
  std::int64_t b_batch = 0, b_row = 0, b_column = 0;
  std::int64_t y_batch = 0, y_row = 0;

  auto operator<=>(const MatmulProblem&) const = default;
};

// Throws, with the three shapes, where they do not fit.
inline MatmulProblem checked_matmul(bool transpose_a, bool transpose_b, const ConstView& a, const ConstView& b,
                                    const ConstView& y) {
  const auto where = [&] {
    return "a " + a.shape().str() + (transpose_a ? " transposed" : "") + ", b " + b.shape().str() +
           (transpose_b ? " transposed" : "") + ", y " + y.shape().str();
  };
  for (const ConstView& v : {a, b, y})
    if (v.h != 1) fail("matmul: wrong shape", where(), "matrices (n,1,rows,cols)", v.shape().str());
  MatmulProblem q;
  q.batch = y.n, q.rows = y.w, q.columns = y.c, q.inner = transpose_a ? a.w : a.c;
  const Shape want_a = transpose_a ? Shape{a.n, 1, q.inner, q.rows} : Shape{a.n, 1, q.rows, q.inner};
  const Shape want_b = transpose_b ? Shape{b.n, 1, q.columns, q.inner} : Shape{b.n, 1, q.inner, q.columns};
  if (!(a.shape() == want_a) || !(b.shape() == want_b))
    fail("matmul: wrong shape", where(), "a " + want_a.str() + " and b " + want_b.str(),
         "a " + a.shape().str() + " and b " + b.shape().str());
  if ((a.n != y.n && a.n != 1) || (b.n != y.n && b.n != 1))
    fail("matmul: wrong shape", where(), "batches of " + std::to_string(y.n) + " or 1",
         std::to_string(a.n) + " and " + std::to_string(b.n));
  // A matrix of one row may carry any stride; libraries want one that makes sense.
  const auto row = [](const ConstView& v) { return std::max(v.pixel_stride, v.c); };
  q.a_batch = a.n == 1 ? 0 : a.w * row(a);
  q.b_batch = b.n == 1 ? 0 : b.w * row(b);
  q.a_row = transpose_a ? 1 : row(a), q.a_column = transpose_a ? row(a) : 1;
  q.b_row = transpose_b ? 1 : row(b), q.b_column = transpose_b ? row(b) : 1;
  q.y_batch = y.w * row(y), q.y_row = row(y);
  return q;
}

}  // namespace gf
