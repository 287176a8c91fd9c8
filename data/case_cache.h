#pragma once
// Decoded cases, kept in memory up to a limit. Safe to call from several threads; a case is decoded by one at a time.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "data/case.h"

namespace gf {

class CaseCache {
 public:
  CaseCache(const Dataset& dataset, std::int64_t limit_bytes)
      : dataset_(dataset), limit_(limit_bytes), entries_(dataset.cases.size()) {}

  // Prepared for training. The first cases that fit stay; nothing is evicted, because with shuffled access every case
  // is as likely to come next as any other.
  std::shared_ptr<const PreparedCase> get(std::size_t index) {
    Entry& entry = entries_[index];
    const std::lock_guard lock(entry.mutex);
    if (entry.kept) return entry.kept;
    auto loaded = std::make_shared<const PreparedCase>(load_case(dataset_, dataset_.cases[index], Purpose::training));
    const std::int64_t bytes = loaded->bytes();
    if (used_.fetch_add(bytes) + bytes <= limit_)
      entry.kept = loaded;
    else
      used_.fetch_sub(bytes);
    return loaded;
  }

  std::int64_t used_bytes() const { return used_; }

 private:
  struct Entry {
    std::mutex mutex;
    std::shared_ptr<const PreparedCase> kept;
  };
  const Dataset& dataset_;
  const std::int64_t limit_;
  std::vector<Entry> entries_;
  std::atomic<std::int64_t> used_{0};
};

}  // namespace gf
