#pragma once
// The GPU as the engine sees it: finding it, its memory, copies between it and the host. Only in builds with CUDA
// (GF_WITH_CUDA); nothing here needs a driver until it is called.
#include <cstddef>
#include <string>

#include "engine/caching_allocator.h"
#include "engine/device.h"
#include "engine/workspace.h"

namespace gf {

// Whether there is a GPU that this build can use. `reason` then gets one line that says why not: no driver, one too
// old, no GPU, a GPU that the kernels were not compiled for, cuDNN or cuBLASLt missing.
bool cuda_available(int ordinal, std::string* reason = nullptr);

// GPUs the driver knows; 0 without a driver.
int cuda_count();

// GPU number `ordinal` with a stream of its own and scratch memory. Throws, with that reason, where it cannot be used.
Device cuda_device(int ordinal);

// "NVIDIA H200, sm_90, 140 GiB, driver 13.0, cuDNN 9.19.0, cuBLASLt 13.1.0"
std::string describe_cuda(int ordinal);

CachingAllocator& cuda_memory(int ordinal);
Workspace& cuda_workspace_of(int ordinal);  // of this thread; never destroyed

// Copies in the order of the context's stream. To the device: queued, the source may be changed on return. To the host:
// waits until the work queued before is done.
void copy_to_cuda(const Cuda& cuda, void* to, const void* from, std::size_t bytes);
void copy_from_cuda(const Cuda& cuda, void* to, const void* from, std::size_t bytes);
void copy_within_cuda(const Cuda& cuda, void* to, const void* from, std::size_t bytes);
void poison_cuda(const Cuda& cuda, void* p, std::size_t bytes);  // NaN, in the order of the stream
void synchronise(const Cuda& cuda);

}  // namespace gf
