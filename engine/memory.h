#pragma once
// Tensor memory: a caching allocator with statistics. Freed blocks are kept by size and handed out again, because a
// training step asks for the same sizes every time and fresh pages are slow to touch.
#include <cstddef>
#include <map>
#include <memory>
#include <string>

namespace gf {

struct MemoryUse {
  std::size_t now = 0, peak = 0;  // bytes
};

struct MemoryStatistics {
  MemoryUse total;
  std::size_t cached = 0;  // held for reuse
  std::map<std::string, MemoryUse> by_tag;
};

// 64-byte aligned; returned to the cache when the last owner lets go. Throws ErrorKind::out_of_memory listing use by
// tag.
std::shared_ptr<void> allocate(std::size_t bytes);

MemoryStatistics memory_statistics();
void reset_memory_peak();
void release_cached_memory();

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

// Scratch for kernels (context.h): one growing buffer a thread, valid until the next call.
void* cpu_workspace(std::size_t bytes);

}  // namespace gf
