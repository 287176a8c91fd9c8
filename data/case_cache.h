#pragma once
// Decoded cases, kept in memory up to a limit. Safe to call from several threads; a case is decoded by one at a time.
// Where every slice is a file of its own, a slice is decoded alone.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "data/case.h"

namespace gf {

class CaseCache {
 public:
  CaseCache(const Dataset& dataset, std::int64_t limit_bytes) : dataset_(dataset), limit_(limit_bytes) {
    std::size_t entries = 0;
    for (const Case& c : dataset.cases) {
      first_entry_.push_back(entries);
      entries += slices_are_files(c) ? static_cast<std::size_t>(c.slices()) : 1;
    }
    entries_ = std::vector<Entry>(entries);
  }

  struct Found {
    std::shared_ptr<const PreparedCase> prepared;
    std::size_t slice;  // of `prepared`
  };

  // Prepared for training. The first that fit stay; nothing is evicted, because with shuffled access every one is as
  // likely to come next as any other.
  Found get(const Sample& sample) {
    const Case& c = dataset_.cases[sample.case_index];
    const bool alone = slices_are_files(c);
    const auto slice = static_cast<std::size_t>(sample.slice);
    Entry& entry = entries_[first_entry_[sample.case_index] + (alone ? slice : 0)];
    const std::lock_guard lock(entry.mutex);
    const std::size_t at = alone ? 0 : slice;
    if (entry.kept) return {entry.kept, at};
    auto loaded = std::make_shared<const PreparedCase>(
        load_case(dataset_, alone ? one_slice(c, sample.slice) : c, Purpose::training));
    const std::int64_t bytes = loaded->bytes();
    if (used_.fetch_add(bytes) + bytes <= limit_)
      entry.kept = loaded;
    else
      used_.fetch_sub(bytes);
    return {loaded, at};
  }

  std::int64_t used_bytes() const { return used_; }

 private:
  struct Entry {
    std::mutex mutex;
    std::shared_ptr<const PreparedCase> kept;
  };
  const Dataset& dataset_;
  const std::int64_t limit_;
  std::vector<std::size_t> first_entry_;  // of each case
  std::vector<Entry> entries_;
  std::atomic<std::int64_t> used_{0};
};

}  // namespace gf
