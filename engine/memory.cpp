#include "engine/memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "engine/capture.h"
#include "engine/memory_limit.h"
#ifdef GF_WITH_CUDA
#include "engine/cuda.h"
#endif
#include "kernels/simt/recording.h"

namespace gf {
namespace {

thread_local const char* current_tag = "other";

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeep = false;  // a cached block would hide an overrun or a use after free from the sanitizer
#else
constexpr bool kKeep = true;
#endif

// Never destroyed: tensors in static storage may outlive any static object.
CachingAllocator& host_memory() {
  static CachingAllocator* const instance =
      new CachingAllocator({"the host", [](std::size_t bytes) { return std::aligned_alloc(64, bytes); },
                            [](void* p) { std::free(p); }, kKeep});
  return *instance;
}

Workspace& host_workspace() {
  thread_local Workspace buffer(
      {[](std::size_t bytes) { return std::aligned_alloc(4096, bytes); }, [](void* p) { std::free(p); }});
  return buffer;
}

bool is_simt(const Device& device) { return std::holds_alternative<Simt>(device); }

// A captured copy would be made again at every replay, from and to the same addresses: only the device's own last.
void refuse_copy_while_capturing(const Device& to, const Device& from) {
  if (!capturing()) return;
  const auto host = [](const Device& d) { return std::holds_alternative<Cpu>(d); };
  if (host(to)) refuse_while_capturing("reads a tensor on the host");
  if (host(from)) refuse_while_capturing("takes data from the host");
}

}  // namespace

bool poisoned() {
  static const bool on = std::getenv("GF_POISON") != nullptr;
  return on;
}

CachingAllocator& memory_of([[maybe_unused]] const Device& device) {
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) return cuda_memory(cuda->device);
#endif
  return host_memory();
}

void copy_bytes(void* to, [[maybe_unused]] const Device& to_device, const void* from,
                [[maybe_unused]] const Device& from_device, std::size_t bytes) {
  if (bytes == 0) return;
  refuse_copy_while_capturing(to_device, from_device);
#ifdef GF_WITH_CUDA
  const Cuda *target = std::get_if<Cuda>(&to_device), *source = std::get_if<Cuda>(&from_device);
  if (target && source) return copy_within_cuda(*target, to, from, bytes);
  if (target) return copy_to_cuda(*target, to, from, bytes);
  if (source) return copy_from_cuda(*source, to, from, bytes);
#endif
  if (is_simt(to_device) && is_simt(from_device)) return simt::run_or_record([=] { std::memcpy(to, from, bytes); });
  std::memcpy(to, from, bytes);
}

std::shared_ptr<void> allocate(std::size_t bytes, const Device& device, const BlockLabel& label) {
  MemoryLimit::take(bytes);
  std::shared_ptr<void> p = memory_of(device).allocate(bytes, current_tag, label);
  if (!poisoned() || capturing()) return p;  // a captured step is of its own launches
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) return poison_cuda(*cuda, p.get(), bytes), p;
#endif
  std::memset(p.get(), 0xFF, bytes);
  return p;
}

MemoryStatistics memory_statistics(const Device& device) { return memory_of(device).statistics(); }
void reset_memory_peak(const Device& device) { memory_of(device).reset_peak(); }
void release_cached_memory(const Device& device) { memory_of(device).release_cached(); }

MemoryTag::MemoryTag(const char* tag) : previous_(current_tag) { current_tag = tag; }
MemoryTag::~MemoryTag() { current_tag = previous_; }

void* cpu_workspace(std::size_t bytes) { return host_workspace().at_least(bytes); }

Workspace& workspace_of([[maybe_unused]] const Device& device) {
#ifdef GF_WITH_CUDA
  if (const Cuda* cuda = std::get_if<Cuda>(&device)) return cuda_workspace_of(cuda->device);
#endif
  return host_workspace();
}

}  // namespace gf
