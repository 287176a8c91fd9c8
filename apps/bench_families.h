#pragma once
// Kernels that `graphflow bench kernels` times beside the ops of tests/harness/cases_perf.cpp: what is no op of its own
// (optimiser steps, the paraphraser's tensor-core kernels), what several ops make together (the Graph Flow loss), the
// parts of one op (a convolution's gradients), and the largest salience pass.
#include <functional>
#include <string>
#include <vector>

#include "engine/device.h"

namespace gf {

struct BenchSizes {
  std::int64_t batch, side, classes;
  std::int64_t teacher_channels, factors;  // of the taps, a quarter of the picture's side
};
constexpr BenchSizes kDemoBench{4, 128, 9, 64, 24}, kPaperBench{8, 256, 2, 256, 24};

struct PreparedKernel {
  std::function<void()> run;
  double bytes = 0;  // that must be moved at least
  double flops = 0;  // where arithmetic is the ceiling
  bool bf16 = false;
};

struct KernelBench {
  std::string op, size;
  bool large = false;                                    // only on a GPU, or when --filter asks for it
  bool gpu_only = false;                                 // no body on the CPU
  std::function<PreparedKernel(const Device&)> prepare;  // allocates
};

std::vector<KernelBench> kernel_benches(const BenchSizes& sizes);

}  // namespace gf
