#pragma once
// One macro for every CUDA status: GF_CUDA_CHECK(cudaMalloc(&p, n)) throws gf::Error with the expression, file and
// line, device, code and CUDA's own text. For nvcc and for host files that use the CUDA runtime.
#include <cuda_runtime_api.h>

#include "kernels/error.h"

#define GF_CUDA_CHECK(call) ::gf::cuda_check((call), #call, __FILE__, __LINE__)

namespace gf {

// What a person can do about it.
inline const char* cuda_remedy(cudaError_t code) {
  switch (code) {
    case cudaErrorMemoryAllocation:
      return "lower train.batch_size, model.width or the picture size; nvidia-smi shows who else uses the GPU";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      return "this build has no kernels for this GPU: configure with -DGF_CUDA_ARCHITECTURES=<its compute capability>";
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
      return "a kernel failed, perhaps one queued earlier, and the GPU's state is lost. The last checkpoint is whole: "
             "resume from it. CUDA_LAUNCH_BLOCKING=1 or compute-sanitizer names the kernel; please report it";
    case cudaErrorLaunchTimeout:
      return "a kernel ran too long for a GPU that also drives a display: use another GPU or smaller batches";
    case cudaErrorECCUncorrectable:
      return "the GPU's memory is faulty: use another GPU";
    case cudaErrorDevicesUnavailable:
      return "another process holds the GPU: wait, or choose another with --device cuda:N";
    default:
      return "";
  }
}

inline void cuda_check(cudaError_t code, const char* expression, const char* file, int line) {
  if (code == cudaSuccess) return;
  cudaGetLastError();  // it is thrown here and is no error of the next launch; one that lasts stays
  int device = -1;
  cudaGetDevice(&device);  // fails too where there is no device: -1 then
  const bool out_of_memory = code == cudaErrorMemoryAllocation;
  throw Error(out_of_memory ? ErrorKind::out_of_memory : ErrorKind::failure,
              {std::string("CUDA call failed: ") + expression,
               std::string(file) + ":" + std::to_string(line) + ", device " + std::to_string(device), "",
               std::string(cudaGetErrorName(code)) + " (" + std::to_string(static_cast<int>(code)) +
                   "): " + cudaGetErrorString(code),
               cuda_remedy(code)});
}

}  // namespace gf
