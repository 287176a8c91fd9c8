// Matrix products under the executor: the CPU's.
#include "kernels/matmul.h"

#include "kernels/simt/recording.h"

namespace gf {

void matmul(const Simt& device, bool transpose_a, bool transpose_b, ConstView a, ConstView b, View y) {
  simt::run_on_library(device, [=](const Cpu& cpu) { matmul(cpu, transpose_a, transpose_b, a, b, y); });
}

}  // namespace gf
