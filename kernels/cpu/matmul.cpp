#include "kernels/matmul.h"

#include <algorithm>

#include "kernels/check.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/scratch.h"

namespace gf {
namespace {

// Below this many multiplications a plain loop is done before the library has looked its plan up.
constexpr std::int64_t kTiny = 4096;

void tiny(const onednn::MatmulProblem& q, const float* a, const float* b, float* y) {
  for (std::int64_t n = 0; n < q.batch; ++n)
    for (std::int64_t r = 0; r < q.rows; ++r) {
      float* row = y + n * q.y_batch + r * q.y_row;
      for (std::int64_t c = 0; c < q.columns; ++c) row[c] = 0;
      for (std::int64_t k = 0; k < q.inner; ++k) {
        const float s = a[n * q.a_batch + r * q.a_row + k * q.a_column];
        const float* from = b + n * q.b_batch + k * q.b_row;
        for (std::int64_t c = 0; c < q.columns; ++c) row[c] += s * from[c * q.b_column];
      }
    }
}

}  // namespace

void matmul(const Cpu& cpu, bool transpose_a, bool transpose_b, ConstView a, ConstView b, View y) {
  const auto where = [&] {
    return "a " + a.shape().str() + (transpose_a ? " transposed" : "") + ", b " + b.shape().str() +
           (transpose_b ? " transposed" : "") + ", y " + y.shape().str();
  };
  require_view("matmul", "a", a);
  require_view("matmul", "b", b);
  require_view("matmul", "y", y);
  for (const ConstView& v : {a, b, ConstView(y)})
    if (v.h != 1) fail("matmul: wrong shape", where(), "matrices (n,1,rows,cols)", v.shape().str());
  onednn::MatmulProblem q;
  q.batch = y.n, q.rows = y.w, q.columns = y.c, q.inner = transpose_a ? a.w : a.c;
  const Shape want_a = transpose_a ? Shape{a.n, 1, q.inner, q.rows} : Shape{a.n, 1, q.rows, q.inner};
  const Shape want_b = transpose_b ? Shape{b.n, 1, q.columns, q.inner} : Shape{b.n, 1, q.inner, q.columns};
  if (!(a.shape() == want_a) || !(b.shape() == want_b))
    fail("matmul: wrong shape", where(), "a " + want_a.str() + " and b " + want_b.str(),
         "a " + a.shape().str() + " and b " + b.shape().str());
  if ((a.n != y.n && a.n != 1) || (b.n != y.n && b.n != 1))
    fail("matmul: wrong shape", where(), "batches of " + std::to_string(y.n) + " or 1",
         std::to_string(a.n) + " and " + std::to_string(b.n));
  if (y.count() == 0) return;

  // A matrix of one row may carry any stride; the library wants one that makes sense.
  const auto row = [](const ConstView& v) { return std::max(v.pixel_stride, v.c); };
  q.a_batch = a.n == 1 ? 0 : a.w * row(a);
  q.b_batch = b.n == 1 ? 0 : b.w * row(b);
  q.a_row = transpose_a ? 1 : row(a), q.a_column = transpose_a ? row(a) : 1;
  q.b_row = transpose_b ? 1 : row(b), q.b_column = transpose_b ? row(b) : 1;
  q.y_batch = y.w * row(y), q.y_row = row(y);
  if (q.batch * q.rows * q.columns * q.inner <= kTiny)
    return tiny(q, data_as<float>(a), data_as<float>(b), data_as<float>(y));

  auto& plan = onednn::matmul_plan(q);
  const std::size_t bytes = onednn::workspace_bytes(plan);
  cpu::Scratch scratch(cpu, "matmul", bytes);
  onednn::run(plan, {a.data, b.data, y.data}, scratch.take<std::byte>(static_cast<std::int64_t>(bytes)));
}

}  // namespace gf
