#pragma once
// A bounded map: what has not been asked for the longest goes first. Not thread-safe.
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <utility>

namespace gf {

template <class Key, class Value>
class LruCache {
 public:
  explicit LruCache(std::size_t capacity) : capacity_(capacity) {}

  // The value of this key, made by `make()` where there is none; where that throws the cache is unchanged. Values are
  // copied out (they are shared pointers): one in use outlives its eviction.
  template <class Make>
  Value get(const Key& key, const Make& make) {
    if (const auto it = index_.find(key); it != index_.end()) {
      ++hits_;
      entries_.splice(entries_.begin(), entries_, it->second);
      return it->second->second;
    }
    ++misses_;
    Value value = make();
    entries_.emplace_front(key, value);
    index_[key] = entries_.begin();
    if (entries_.size() > capacity_) {
      index_.erase(entries_.back().first);
      entries_.pop_back();
    }
    return value;
  }

  std::size_t size() const { return entries_.size(); }
  std::int64_t hits() const { return hits_; }
  std::int64_t misses() const { return misses_; }

 private:
  std::size_t capacity_;
  std::list<std::pair<Key, Value>> entries_;
  std::map<Key, typename std::list<std::pair<Key, Value>>::iterator> index_;
  std::int64_t hits_ = 0, misses_ = 0;
};

}  // namespace gf
