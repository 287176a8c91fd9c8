// The matrix product under the executor, by the CPU's library.
#include "kernels/matmul.h"

#include "kernels/check.h"
#include "kernels/simt/library.h"

namespace gf {

void matmul(const Simt& device, bool transpose_a, bool transpose_b, ConstView a, ConstView b, View y) {
  require_float("matmul", "y", y);
  require_like("matmul", "a", a, y);
  require_like("matmul", "b", b, y);
  simt::run_on_library(device, [=](const Cpu& cpu) {
    const simt::WideOutput out(y);
    matmul(cpu, transpose_a, transpose_b, simt::WideInput(a), simt::WideInput(b), out);
    out.round();
  });
}

}  // namespace gf
