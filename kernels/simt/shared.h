#pragma once
// Shared memory that knows who wrote what. Every element remembers its last writer and last readers, and how many
// barriers they had passed; an access that no barrier separates from a conflicting one is a race, whatever order the
// threads happened to run in. Reads of elements nobody wrote and indices outside the array are errors too. Each is
// reported with the line of the access: the index type captures it.
//
// __syncthreads orders the threads of a block, __syncwarp with every live thread of a warp orders that warp. Shuffles
// and votes order nothing, as CUDA promises nothing.
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>
#include <vector>

namespace gf::simt {

// When a thread does something: barriers of the block and of the thread's warp passed so far.
struct Moment {
  unsigned thread = 0;
  std::uint32_t block_epoch = 0, warp_epoch = 0;
};

// One array of the running block. The executor owns it and gives it again to every thread that declares it.
class SharedArray {
 public:
  SharedArray(const char* name, const std::source_location& declared, std::size_t element_bytes, std::size_t count);

  // Forgets all accesses and fills the array with NaN bits: a block has begun.
  void begin_block(std::uint32_t block_epoch);
  void* read(std::int64_t index, const std::source_location& at);
  void* write(std::int64_t index, const std::source_location& at);
  void* update(std::int64_t index, const std::source_location& at);  // by an atomic operation

  const std::source_location& declared() const { return declared_; }
  std::size_t bytes() const { return storage_.size(); }

 private:
  enum class Readers : std::uint8_t { one, one_warp, many };
  struct Access {
    Moment when;
    std::source_location at;
  };
  struct Element {
    Access write, read;
    bool atomic = false;
    Readers readers = Readers::one;
  };

  Element& find(std::int64_t index, const std::source_location& at);
  void check_against_write(std::int64_t index, const Element&, const Moment& now, const std::source_location& at,
                           const char* action) const;
  void check_against_reads(std::int64_t index, const Element&, const Moment& now, const std::source_location& at,
                           const char* action) const;
  [[noreturn]] void race(std::int64_t index, const char* action, const std::source_location& at,
                         const char* other_action, const Access& other) const;
  void* address(std::int64_t index) { return storage_.data() + static_cast<std::size_t>(index) * element_bytes_; }
  bool written(const Element& e) const { return e.write.when.block_epoch >= first_epoch_; }
  bool was_read(const Element& e) const { return e.read.when.block_epoch >= first_epoch_; }

  const char* name_;
  std::source_location declared_;
  std::size_t element_bytes_;
  std::uint32_t first_epoch_ = 1;  // accesses of earlier epochs belong to earlier blocks
  std::vector<std::byte> storage_;
  std::vector<Element> elements_;
};

// An index and the line it was written on.
struct Index {
  std::int64_t value;
  std::source_location at;
  template <std::integral I>
  constexpr Index(I i, std::source_location here = std::source_location::current())
      : value(static_cast<std::int64_t>(i)), at(here) {}
};

template <class T>
struct SharedAddress {
  SharedArray* array;
  Index index;
};

// One element: reads as a T, assigns as a T. (So `auto x = s[i]` keeps the element, not its value: write the type.)
template <class T>
class SharedElement {
 public:
  SharedElement(SharedArray* array, Index index) : array_(array), index_(index) {}
  operator T() const {
    T value;
    std::memcpy(&value, array_->read(index_.value, index_.at), sizeof(T));
    return value;
  }
  const SharedElement& operator=(T value) const {
    std::memcpy(array_->write(index_.value, index_.at), &value, sizeof(T));
    return *this;
  }
  const SharedElement& operator=(const SharedElement& other) const { return *this = static_cast<T>(other); }
  const SharedElement& operator+=(T value) const { return *this = static_cast<T>(*this) + value; }
  const SharedElement& operator-=(T value) const { return *this = static_cast<T>(*this) - value; }
  const SharedElement& operator*=(T value) const { return *this = static_cast<T>(*this) * value; }
  SharedAddress<T> operator&() const { return {array_, index_}; }

 private:
  SharedArray* array_;
  Index index_;
};

// What GF_SHARED declares in place of T[n]: indexed like an array, moved on like a pointer.
template <class T>
class Shared {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit Shared(SharedArray* array, std::int64_t offset = 0) : array_(array), offset_(offset) {}
  SharedElement<T> operator[](Index i) const {
    i.value += offset_;
    return {array_, i};
  }
  template <std::integral I>
  Shared operator+(I n) const {
    return Shared(array_, offset_ + static_cast<std::int64_t>(n));
  }

 private:
  SharedArray* array_;
  std::int64_t offset_;
};

// The running block's array declared at `at`; made when its first thread gets there.
SharedArray* shared_array(const char* name, std::size_t element_bytes, std::size_t count,
                          const std::source_location& at);
// The array the launch's shared_bytes became.
SharedArray* dynamic_shared_array(const char* name, std::size_t element_bytes, const std::source_location& at);

template <class T>
Shared<T> declare_shared(const char* name, std::size_t count,
                         std::source_location at = std::source_location::current()) {
  return Shared<T>(shared_array(name, sizeof(T), count, at));
}
template <class T>
Shared<T> declare_dynamic_shared(const char* name, std::source_location at = std::source_location::current()) {
  return Shared<T>(dynamic_shared_array(name, sizeof(T), at));
}

}  // namespace gf::simt
