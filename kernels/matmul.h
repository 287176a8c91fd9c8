#pragma once
// Matrix product of matrices (n,1,rows,cols) with any pixel stride (row stride). float32; on the GPU and
// under the executor all three float32 or all bf16 (sums in float32, rounded once).
//   y[b] = op(a[b]) * op(b[b]),  op = identity or transpose; the batch n of a or of b may be 1 and is then broadcast.
// y is assigned and may not alias a or b. Deterministic for a given number of threads.
// Work: 2*n*rows*cols*inner operations.
#include "kernels/context.h"
#include "kernels/view.h"

namespace gf {

void matmul(const Cpu&, bool transpose_a, bool transpose_b, ConstView a, ConstView b, View y);
// The executor hands matrix products to the CPU's body.
void matmul(const Simt&, bool transpose_a, bool transpose_b, ConstView a, ConstView b, View y);
void matmul(const Cuda&, bool transpose_a, bool transpose_b, ConstView a, ConstView b, View y);

}  // namespace gf
