#pragma once
// Tensor memory: one caching allocator (caching_allocator.h) a memory, and the tags that its statistics go by.
#include "engine/caching_allocator.h"
#include "engine/device.h"
#include "engine/workspace.h"

namespace gf {

// The allocator of a device's memory. The CPU and the executor share the host's.
CachingAllocator& memory_of(const Device& device);

// At least 64-byte aligned (a GPU's: 256); returned to the cache when the last owner lets go, which must be after the
// work queued on it. Counts under the current tag. Throws ErrorKind::out_of_memory.
std::shared_ptr<void> allocate(std::size_t bytes, const Device& device = cpu_device(), const BlockLabel& label = {});

// Copies between any two memories; ordered after the work queued before, and to the host complete on return.
void copy_bytes(void* to, const Device& to_device, const void* from, const Device& from_device, std::size_t bytes);

// For tests: with GF_POISON in the environment fresh tensors, and a GPU's scratch memory at every call, are full of
// NaN.
bool poisoned();

MemoryStatistics memory_statistics(const Device& device = cpu_device());
void reset_memory_peak(const Device& device = cpu_device());
void release_cached_memory(const Device& device = cpu_device());

// While alive, allocations of this thread count under `tag` (a string literal): "teacher", "student", "optimiser".
class MemoryTag {
 public:
  explicit MemoryTag(const char* tag);
  ~MemoryTag();
  MemoryTag(const MemoryTag&) = delete;
  MemoryTag& operator=(const MemoryTag&) = delete;

 private:
  const char* previous_;
};

// Scratch for kernels (context.h): one growing buffer a thread and memory, valid until the next call.
void* cpu_workspace(std::size_t bytes);
Workspace& workspace_of(const Device& device);

}  // namespace gf
