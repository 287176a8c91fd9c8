#pragma once
// One macro for every CUDA status: GF_CUDA_CHECK(cudaMalloc(&p, n)) throws gf::Error with the expression, file and
// line, device, code and CUDA's own text. For nvcc and for host files that use the CUDA runtime.
#include <cuda_runtime_api.h>

#include "kernels/error.h"

#define GF_CUDA_CHECK(call) ::gf::cuda_check((call), #call, __FILE__, __LINE__)

namespace gf {

inline void cuda_check(cudaError_t code, const char* expression, const char* file, int line) {
  if (code == cudaSuccess) return;
  int device = -1;
  cudaGetDevice(&device);  // fails too where there is no device: -1 then
  const bool out_of_memory = code == cudaErrorMemoryAllocation;
  throw Error(out_of_memory ? ErrorKind::out_of_memory : ErrorKind::failure,
              {std::string("CUDA call failed: ") + expression,
               std::string(file) + ":" + std::to_string(line) + ", device " + std::to_string(device), "",
               std::string(cudaGetErrorName(code)) + " (" + std::to_string(static_cast<int>(code)) +
                   "): " + cudaGetErrorString(code),
               ""});
}

}  // namespace gf
