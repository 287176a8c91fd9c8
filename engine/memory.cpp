#include "engine/memory.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::size_t kAlignment = 64;
thread_local const char* current_tag = "other";

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCache = false;  // a cached block would hide an overrun or a use after free from the sanitizer
#else
constexpr bool kCache = true;
#endif

// Eight size classes to a power of two: at most 12.5 % lost, and few distinct sizes.
std::size_t size_class(std::size_t bytes) {
  if (bytes <= 1024) return std::max<std::size_t>((bytes + 255) / 256 * 256, 256);
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

class Cache {
 public:
  void* take(std::size_t bytes, const char* tag) {
    const std::lock_guard lock(mutex_);
    void* p = nullptr;
    auto& list = free_[bytes];
    if (!list.empty()) {
      p = list.back();
      list.pop_back();
      statistics_.cached -= bytes;
    } else {
      p = std::aligned_alloc(kAlignment, bytes);
      if (!p) {
        release_locked();
        p = std::aligned_alloc(kAlignment, bytes);
      }
      if (!p) out_of_memory(bytes);
    }
    count(statistics_.total, bytes);
    count(statistics_.by_tag[tag], bytes);
    return p;
  }

  void give(void* p, std::size_t bytes, const char* tag) {
    const std::lock_guard lock(mutex_);
    statistics_.total.now -= bytes;
    statistics_.by_tag[tag].now -= bytes;
    if (!kCache) return std::free(p);
    free_[bytes].push_back(p);
    statistics_.cached += bytes;
  }

  MemoryStatistics statistics() {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }
  void reset_peak() {
    const std::lock_guard lock(mutex_);
    statistics_.total.peak = statistics_.total.now;
    for (auto& [tag, use] : statistics_.by_tag) use.peak = use.now;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    release_locked();
  }

 private:
  static void count(MemoryUse& use, std::size_t bytes) {
    use.now += bytes;
    use.peak = std::max(use.peak, use.now);
  }
  void release_locked() {
    for (auto& [bytes, list] : free_) {
      for (void* p : list) std::free(p);
      list.clear();
    }
    statistics_.cached = 0;
  }
  [[noreturn]] void out_of_memory(std::size_t bytes) {
    std::string use;
    for (const auto& [tag, u] : statistics_.by_tag) use += (use.empty() ? "" : ", ") + tag + " " + mb(u.now);
    throw Error(ErrorKind::out_of_memory,
                {"out of memory", "a tensor of " + mb(bytes), "", mb(statistics_.total.now) + " in use (" + use + ")",
                 "lower train.batch_size, model.width or the picture size (data.shrink)"});
  }
  static std::string mb(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

  std::mutex mutex_;
  std::unordered_map<std::size_t, std::vector<void*>> free_;
  MemoryStatistics statistics_;
};

// Never destroyed: tensors in static storage may outlive any static object.
Cache& cache() {
  static Cache* const instance = new Cache;
  return *instance;
}

bool poison() {
  static const bool on = std::getenv("GF_POISON") != nullptr;  // NaN in fresh tensors, for tests
  return on;
}

}  // namespace

std::shared_ptr<void> allocate(std::size_t bytes) {
  const std::size_t size = size_class(bytes);
  const char* const tag = current_tag;
  void* const p = cache().take(size, tag);
  if (poison()) std::memset(p, 0xFF, size);
  return {p, [size, tag](void* q) { cache().give(q, size, tag); }};
}

MemoryStatistics memory_statistics() { return cache().statistics(); }
void reset_memory_peak() { cache().reset_peak(); }
void release_cached_memory() { cache().release(); }

MemoryTag::MemoryTag(const char* tag) : previous_(current_tag) { current_tag = tag; }
MemoryTag::~MemoryTag() { current_tag = previous_; }

void* cpu_workspace(std::size_t bytes) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<void, Free> buffer;
  thread_local std::size_t capacity = 0;
  if (bytes > capacity) {
    capacity = (std::max(bytes, capacity + capacity / 2) + 4095) / 4096 * 4096;
    buffer.reset();
    buffer.reset(std::aligned_alloc(4096, capacity));
    if (!buffer) {
      capacity = 0;
      throw Error(ErrorKind::out_of_memory,
                  {"out of memory", "kernel workspace of " + std::to_string(bytes >> 20) + " MiB", "", "",
                   "lower train.batch_size or the picture size"});
    }
  }
  return buffer.get();
}

}  // namespace gf
