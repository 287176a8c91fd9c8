#include "engine/caching_allocator.h"

#include <algorithm>
#include <bit>

#include "kernels/error.h"

namespace gf {
namespace {

// Eight size classes to a power of two: at most 12.5 % lost, and few distinct sizes.
std::size_t size_class(std::size_t bytes) {
  if (bytes <= 1024) return std::max<std::size_t>((bytes + 255) / 256 * 256, 256);
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

std::string mb(std::size_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

std::string text_of(const BlockLabel& l) {
  return l.shape.count() == 0 ? "" : std::string(name_of(l.dtype)) + " " + l.shape.str();
}

struct Scope {
  const CachingAllocator* allocator = nullptr;
  CachingAllocator::Pool pool = 0;
  bool closed = false;
};
thread_local Scope scope;

}  // namespace

void CachingAllocator::count(MemoryUse& use, std::size_t bytes) {
  use.now += bytes;
  use.peak = std::max(use.peak, use.now);
}

std::shared_ptr<void> CachingAllocator::allocate(std::size_t bytes, const char* tag, const BlockLabel& label) {
  const std::size_t size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  const Scope mine = scope.allocator == this ? scope : Scope{};
  void* p = nullptr;
  auto& list = free_[mine.pool][size];
  if (!list.empty()) {
    p = list.back();
    list.pop_back();
    statistics_.cached -= size;
  } else {
    if (mine.closed)
      fail("new memory while a step is being captured", mb(size) + (label.shape.count() ? ", " + text_of(label) : ""),
           "only blocks of the sizes that the warm-up used", "one that it did not use",
           "the step's shapes must not change");
    p = source_.take(size);
    if (!p) {
      release_locked(free_[0]);
      p = source_.take(size);
    }
    if (!p) out_of_memory(size, label);
  }
  live_[p] = {size, tag, label, mine.pool};
  count(statistics_.total, size);
  count(statistics_.by_tag[tag], size);
  return {p, [this](void* q) { give(q); }};
}

void CachingAllocator::give(void* p) {
  const std::lock_guard lock(mutex_);
  const auto it = live_.find(p);
  const Block b = it->second;
  live_.erase(it);
  statistics_.total.now -= b.bytes;
  statistics_.by_tag[b.tag].now -= b.bytes;
  if (!source_.keep && b.pool == 0) return source_.give(p);
  const bool dropped = std::find(dropped_.begin(), dropped_.end(), b.pool) != dropped_.end();
  free_[dropped ? 0 : b.pool][b.bytes].push_back(p);
  statistics_.cached += b.bytes;
}

MemoryStatistics CachingAllocator::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

void CachingAllocator::reset_peak() {
  const std::lock_guard lock(mutex_);
  statistics_.total.peak = statistics_.total.now;
  for (auto& [tag, use] : statistics_.by_tag) use.peak = use.now;
}

void CachingAllocator::release_cached() {
  const std::lock_guard lock(mutex_);
  release_locked(free_[0]);
}

void CachingAllocator::release_locked(FreeLists& lists) {
  for (auto& [bytes, list] : lists) {
    for (void* p : list) source_.give(p);
    statistics_.cached -= bytes * list.size();
    list.clear();
  }
}

CachingAllocator::Pool CachingAllocator::make_pool() {
  const std::lock_guard lock(mutex_);
  return next_pool_++;
}

void CachingAllocator::begin_pool(Pool pool, bool closed) {
  if (scope.allocator) fail("memory pools do not nest", source_.name);
  scope = {this, pool, closed};
}

void CachingAllocator::end_pool() { scope = {}; }

void CachingAllocator::drop_pool(Pool pool) {
  const std::lock_guard lock(mutex_);
  release_locked(free_[pool]);
  free_.erase(pool);
  dropped_.push_back(pool);
}

std::string CachingAllocator::largest_blocks() const {
  constexpr std::size_t kShown = 5;
  std::vector<const Block*> blocks;
  for (const auto& [p, b] : live_) blocks.push_back(&b);
  const std::size_t shown = std::min(kShown, blocks.size());
  std::partial_sort(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(shown), blocks.end(),
                    [](const Block* a, const Block* b) { return a->bytes > b->bytes; });
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    const std::string label = text_of(blocks[i]->label);
    text += (i ? ", " : "") + mb(blocks[i]->bytes) + " " + blocks[i]->tag + (label.empty() ? "" : " " + label);
  }
  return text;
}

void CachingAllocator::out_of_memory(std::size_t bytes, const BlockLabel& label) {
  std::string use;
  for (const auto& [tag, u] : statistics_.by_tag) use += (use.empty() ? "" : ", ") + tag + " " + mb(u.now);
  const std::string largest = largest_blocks(), what = text_of(label);
  throw Error(
      ErrorKind::out_of_memory,
      {"out of memory", "a tensor of " + mb(bytes) + (what.empty() ? "" : " (" + what + ")") + " on " + source_.name,
       "", mb(statistics_.total.now) + " in use (" + use + ")" + (largest.empty() ? "" : "; the largest: " + largest),
       "lower train.batch_size, model.width or the picture size (data.shrink)"});
}

}  // namespace gf
