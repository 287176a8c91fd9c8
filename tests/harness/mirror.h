#pragma once
// Cases keep their numbers in host memory; a GPU has memory of its own. Between the two, while a case runs on such a
// device: each block of host memory whose view a kernel gets has a twin on the device, margins, gaps and sentinels
// included, so that an overrun there is seen here. The twin is written when a view is asked for and read back when the
// host wants to look. The lambdas of the cases know nothing of it; they only must ask for their views themselves.
#include <cstddef>
#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gf::harness {

class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual void* allocate(std::size_t bytes) = 0;  // 256-byte aligned
  virtual void release(void*) = 0;
  virtual void upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual void download(void* to, const void* from, std::size_t bytes) = 0;  // waits for the work queued before
};

// Another place on the host: what mirroring does can be tried without a GPU.
DeviceMemory& memory_elsewhere();

// The twins of one run of a case. While it lives, host memory that was there before, or whose twin a kernel may write,
// holds nonsense until the host wants to look: a view made before the run would show that, not the numbers.
class Mirrors {
 public:
  explicit Mirrors(DeviceMemory& memory) : memory_(memory), outer_(std::exchange(current_, this)) {
    for (const auto& [host, bytes] : blocks_) for_writing(host, bytes);
  }
  Mirrors(const Mirrors&) = delete;
  Mirrors& operator=(const Mirrors&) = delete;
  ~Mirrors() {
    current_ = outer_;
    for (const auto& [host, twin] : twins_) memory_.release(twin.device);
  }
  static Mirrors* current() { return current_; }

  // Host memory that can have a twin. remove() ends its twin too.
  static void add(void* host, std::size_t bytes) { blocks_[host] = bytes; }
  static void remove(void* host) {
    blocks_.erase(host);
    if (current_) current_->forget(host);
  }

  // The twin of `bytes` at host, with the host's contents.
  void* for_reading(void* host, std::size_t bytes) { return twin_of(host, bytes).device; }
  // The same for a kernel that may write: from now on the twin is what counts, until the host writes.
  void* for_writing(void* host, std::size_t bytes) {
    Twin& twin = twin_of(host, bytes);
    twin.newest = Newest::device;
    std::memset(host, 0xa5, bytes);
    return twin.device;
  }
  // Before the host reads, and before it writes.
  void host_reads(void* host) {
    const auto found = twins_.find(host);
    if (found == twins_.end() || found->second.newest != Newest::device) return;
    memory_.download(host, found->second.device, found->second.bytes);
  }
  void host_writes(void* host) {
    host_reads(host);
    if (const auto found = twins_.find(host); found != twins_.end()) found->second.newest = Newest::host;
  }
  // At the end of a run: everything is on the host again.
  void bring_home() {
    for (const auto& [host, twin] : twins_) host_reads(host);
  }

 private:
  enum class Newest { host, both, device };
  struct Twin {
    void* device = nullptr;
    std::size_t bytes = 0;
    Newest newest = Newest::host;
  };

  void forget(void* host) {
    const auto found = twins_.find(host);
    if (found == twins_.end()) return;
    memory_.release(found->second.device);
    twins_.erase(found);
  }
  Twin& twin_of(void* host, std::size_t bytes) {
    Twin& twin = twins_[host];
    if (!twin.device) twin = {memory_.allocate(bytes), bytes, Newest::host};
    if (twin.newest == Newest::host) {
      memory_.upload(twin.device, host, bytes);
      twin.newest = Newest::both;
    }
    return twin;
  }

  inline static Mirrors* current_ = nullptr;
  inline static std::unordered_map<void*, std::size_t> blocks_;
  DeviceMemory& memory_;
  Mirrors* outer_;
  std::unordered_map<void*, Twin> twins_;
};

// Elements in host memory that can have a twin. Every access says who reads or writes.
template <class T>
class MirroredVector {
 public:
  MirroredVector(std::size_t count, T value) : v_(count, value) { add(); }
  MirroredVector(const MirroredVector& o) : v_(o.host_reads()) { add(); }
  MirroredVector(MirroredVector&& o) noexcept : v_(std::move(o.v_)) {}  // the memory keeps its address and its twin
  MirroredVector& operator=(const MirroredVector& o) {
    if (this == &o) return *this;
    remove();
    v_ = o.host_reads();
    add();
    return *this;
  }
  MirroredVector& operator=(MirroredVector&& o) noexcept {
    if (this == &o) return *this;
    remove();
    v_ = std::move(o.v_);
    return *this;
  }
  ~MirroredVector() { remove(); }

  const std::vector<T>& host_reads() const {
    if (Mirrors* m = Mirrors::current()) m->host_reads(memory());
    return v_;
  }
  std::vector<T>& host_writes() {
    if (Mirrors* m = Mirrors::current()) m->host_writes(memory());
    return v_;
  }
  const T* kernel_reads() const {
    Mirrors* m = Mirrors::current();
    return m ? static_cast<const T*>(m->for_reading(memory(), v_.size() * sizeof(T))) : v_.data();
  }
  T* kernel_writes() {
    Mirrors* m = Mirrors::current();
    return m ? static_cast<T*>(m->for_writing(memory(), v_.size() * sizeof(T))) : v_.data();
  }

 private:
  void* memory() const { return const_cast<T*>(v_.data()); }
  void add() { Mirrors::add(memory(), v_.size() * sizeof(T)); }
  void remove() { Mirrors::remove(memory()); }

  std::vector<T> v_;
};

}  // namespace gf::harness
