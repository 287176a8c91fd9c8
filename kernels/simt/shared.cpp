#include "kernels/simt/shared.h"

#include "kernels/simt/block.h"
#include "kernels/simt/thread.h"

namespace gf::simt {
namespace {

constexpr unsigned kWarp = 32;

// Stands for the threads that updated an element atomically between two barriers: nobody's own, in no warp.
constexpr unsigned kSeveralThreads = ~0u;

bool same_warp(unsigned a, unsigned b) { return a / kWarp == b / kWarp; }

// True where every thread that did something `before` is known to be through with it `now`.
bool ordered(const Moment& before, const Moment& now) {
  return before.thread == now.thread || before.block_epoch < now.block_epoch ||
         (same_warp(before.thread, now.thread) && before.warp_epoch < now.warp_epoch);
}

}  // namespace

SharedArray::SharedArray(const char* name, const std::source_location& declared, std::size_t element_bytes,
                         std::size_t count)
    : name_(name),
      declared_(declared),
      element_bytes_(element_bytes),
      storage_(element_bytes * count),
      elements_(count) {}

void SharedArray::begin_block(std::uint32_t block_epoch) {
  first_epoch_ = block_epoch;
  std::memset(storage_.data(), 0xff, storage_.size());
}

SharedArray::Element& SharedArray::find(std::int64_t index, const std::source_location& at) {
  const auto count = static_cast<std::int64_t>(elements_.size());
  if (index < 0 || index >= count) {
    kernel_error("index outside shared memory", at, std::string(name_) + "[0] to [" + std::to_string(count - 1) + "]",
                 std::string(name_) + "[" + std::to_string(index) + "]");
  }
  return elements_[static_cast<std::size_t>(index)];
}

void SharedArray::race(std::int64_t index, const char* action, const std::source_location& at, const char* other_action,
                       const Access& other) const {
  const std::string by =
      other.when.thread == kSeveralThreads ? "several threads" : Block::current().thread_name(other.when.thread);
  kernel_error("race in shared memory", at,
               std::string("a barrier between this ") + action + " of " + name_ + "[" + std::to_string(index) +
                   "] and the " + other_action + " by " + by + " at " + place(other.at),
               "none", "put __syncthreads() between them");
}

void SharedArray::check_against_write(std::int64_t index, const Element& e, const Moment& now,
                                      const std::source_location& at, const char* action) const {
  if (written(e) && !ordered(e.write.when, now)) race(index, action, at, "write", e.write);
}

void SharedArray::check_against_reads(std::int64_t index, const Element& e, const Moment& now,
                                      const std::source_location& at, const char* action) const {
  if (!was_read(e)) return;
  const Moment& last = e.read.when;
  const bool is_ordered =
      last.block_epoch < now.block_epoch || (e.readers == Readers::one && ordered(last, now)) ||
      (e.readers == Readers::one_warp && same_warp(last.thread, now.thread) && last.warp_epoch < now.warp_epoch);
  if (!is_ordered) race(index, action, at, "read", e.read);
}

void* SharedArray::read(std::int64_t index, const std::source_location& at) {
  Element& e = find(index, at);
  const Moment now = Block::current().now();
  if (!written(e)) {
    kernel_error("read of shared memory that was never written", at,
                 std::string("a write to ") + name_ + "[" + std::to_string(index) + "] in this block", {},
                 "write it first; where another thread does, put __syncthreads() between");
  }
  check_against_write(index, e, now, at, "read");
  // Only the latest readers matter: whoever comes after them comes after the earlier ones.
  const Moment last = e.read.when;
  if (!was_read(e) || last.block_epoch < now.block_epoch) {
    e.readers = Readers::one;
  } else if (e.readers != Readers::many) {
    if (!same_warp(last.thread, now.thread)) {
      e.readers = Readers::many;
    } else if (last.warp_epoch < now.warp_epoch) {
      e.readers = Readers::one;
    } else if (last.thread != now.thread) {
      e.readers = Readers::one_warp;
    }
  }
  e.read = {now, at};
  return address(index);
}

void* SharedArray::write(std::int64_t index, const std::source_location& at) {
  Element& e = find(index, at);
  const Moment now = Block::current().now();
  check_against_write(index, e, now, at, "write");
  check_against_reads(index, e, now, at, "write");
  e.write = {now, at};
  e.atomic = false;
  return address(index);
}

void* SharedArray::update(std::int64_t index, const std::source_location& at) {
  Element& e = find(index, at);
  const Moment now = Block::current().now();
  if (!written(e)) {
    kernel_error("atomic operation on shared memory that was never written", at,
                 std::string("a write to ") + name_ + "[" + std::to_string(index) + "] in this block");
  }
  if (!e.atomic) check_against_write(index, e, now, at, "atomic operation");
  check_against_reads(index, e, now, at, "atomic operation");
  const bool alone = !e.atomic || ordered(e.write.when, now);
  e.write = {now, at};
  if (!alone) e.write.when.thread = kSeveralThreads;
  e.atomic = true;
  return address(index);
}

SharedArray* shared_array(const char* name, std::size_t element_bytes, std::size_t count,
                          const std::source_location& at) {
  return Block::running("shared memory", at).shared_array(name, element_bytes, count, at);
}

SharedArray* dynamic_shared_array(const char* name, std::size_t element_bytes, const std::source_location& at) {
  return Block::running("shared memory", at).dynamic_shared_array(name, element_bytes, at);
}

}  // namespace gf::simt
