#include "kernels/matmul.h"

#include "kernels/check.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/scratch.h"

namespace gf {
namespace {

// Below this many multiplications a plain loop is done before the library has looked its plan up.
constexpr std::int64_t kTiny = 4096;

void tiny(const MatmulProblem& q, const float* a, const float* b, float* y) {
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
  require_view("matmul", "a", a);
  require_view("matmul", "b", b);
  require_view("matmul", "y", y);
  const MatmulProblem q = checked_matmul(transpose_a, transpose_b, a, b, y);
  if (y.count() == 0) return;
  if (q.batch * q.rows * q.columns * q.inner <= kTiny)
    return tiny(q, data_as<float>(a), data_as<float>(b), data_as<float>(y));

  auto& plan = onednn::matmul_plan(q);
  const std::size_t bytes = onednn::workspace_bytes(plan);
  cpu::Scratch scratch(cpu, "matmul", bytes);
  onednn::run(plan, {a.data, b.data, y.data}, scratch.take<std::byte>(static_cast<std::int64_t>(bytes)));
}

}  // namespace gf
