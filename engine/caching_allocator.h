#pragma once
// Blocks of one memory, host or device, kept when they are freed and handed out again: a training step asks for the
// same sizes every time, and fresh memory is slow (host: pages to touch; device: a synchronisation).
//
// A pool is a part of the memory that nothing outside uses. A captured step replays with the addresses it was recorded
// with, so its blocks must not go to anybody else while it lives, and no new memory can be had during the capture.
// Thread-safe.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/view.h"

namespace gf {

struct MemoryUse {
  std::size_t now = 0, peak = 0;  // bytes
};

struct MemoryStatistics {
  MemoryUse total;
  std::size_t cached = 0;  // held for reuse, pools included
  std::map<std::string, MemoryUse> by_tag;
};

// What a block is for, for messages.
struct BlockLabel {
  Shape shape{0, 0, 0, 0};
  DType dtype = DType::f32;
};

class CachingAllocator {
 public:
  // Where blocks come from. `take` returns null where there is no more.
  struct Source {
    std::string name;  // "host", "cuda:0"
    void* (*take)(std::size_t bytes);
    void (*give)(void* block);
    bool keep = true;  // false: freed blocks go straight back, so that a sanitizer sees a use after free
  };
  explicit CachingAllocator(Source source) : source_(std::move(source)) {}

  // Tags and labels are for statistics and messages; `tag` is a string literal. Throws ErrorKind::out_of_memory with
  // the use by tag and the largest blocks, after the cache has been given back in vain.
  std::shared_ptr<void> allocate(std::size_t bytes, const char* tag, const BlockLabel& label = {});

  MemoryStatistics statistics() const;
  void reset_peak();
  void release_cached();  // but for the pools'

  // Between begin and end the calling thread's blocks come from this pool, new ones or those its earlier blocks left;
  // `closed`: from the latter only, anything more throws. After end the pool keeps its blocks until drop_pool.
  using Pool = std::uint32_t;
  Pool make_pool();
  void begin_pool(Pool pool, bool closed);
  void end_pool();
  void drop_pool(Pool pool);

 private:
  struct Block {
    std::size_t bytes;
    const char* tag;
    BlockLabel label;
    Pool pool;
  };
  using FreeLists = std::unordered_map<std::size_t, std::vector<void*>>;

  void give(void* p);
  void release_locked(FreeLists& lists);
  void count(MemoryUse& use, std::size_t bytes);
  [[noreturn]] void out_of_memory(std::size_t bytes, const BlockLabel& label);
  std::string largest_blocks() const;

  mutable std::mutex mutex_;
  Source source_;
  std::map<Pool, FreeLists> free_;  // 0: no pool
  std::unordered_map<void*, Block> live_;
  std::vector<Pool> dropped_;  // their live blocks join the common memory when they are freed
  Pool next_pool_ = 1;
  MemoryStatistics statistics_;
};

// For the calling thread: blocks come from this pool as long as the object lives.
class PoolScope {
 public:
  PoolScope(CachingAllocator& allocator, CachingAllocator::Pool pool, bool closed) : allocator_(allocator) {
    allocator_.begin_pool(pool, closed);
  }
  ~PoolScope() { allocator_.end_pool(); }
  PoolScope(const PoolScope&) = delete;
  PoolScope& operator=(const PoolScope&) = delete;

 private:
  CachingAllocator& allocator_;
};

}  // namespace gf
