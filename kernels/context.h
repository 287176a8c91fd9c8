#pragma once
// The devices a kernel family can have a body for. A context is handed to every kernel as its first argument and picks
// the body by overload: `relu(const Cpu&, ...)`. It says where the work runs and where scratch memory comes from.
#include <cstddef>

struct CUstream_st;  // what a cudaStream_t points to; named here so that no CUDA header is needed

namespace gf {

// Scratch memory for one kernel call, 64-byte aligned (256 on the GPU), valid until that kernel returns (on the GPU:
// until the work it queued is done). Kernels allocate nothing themselves; a kernel asks at most once and splits what
// it gets.
using WorkspaceFn = void* (*)(std::size_t bytes);

// Host memory, OpenMP.
struct Cpu {
  WorkspaceFn workspace = nullptr;
};

// The hand-written CUDA kernels on host memory, executed by kernels/simt. The order seed shuffles the order in which
// blocks and threads run (0: as numbered, 1: reversed); results must not depend on it.
struct Simt {
  WorkspaceFn workspace = nullptr;
  unsigned order_seed = 0;
  std::size_t shared_limit = 48 * 1024;  // bytes of shared memory a block may have
};

// Device memory; work is queued on the stream (null: the default stream).
struct Cuda {
  WorkspaceFn workspace = nullptr;
  CUstream_st* stream = nullptr;
  int device = 0;     // which GPU
  bool tf32 = false;  // float32 convolutions and matrix products may round their inputs to TF32
};

}  // namespace gf
