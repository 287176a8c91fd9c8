#include "kernels/simt/fiber.h"

#include <boost/context/preallocated.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace gf::simt {
namespace {

namespace context = boost::context;

// With a guard page at the end, so that a kernel that overruns its stack stops instead of writing into the next one.
#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kStackBytes = 256 * 1024;
#else
constexpr std::size_t kStackBytes = 64 * 1024;
#endif

// What boost::context::fiber asks for to free a stack; the stack stays with the Fiber.
struct KeepStack {
  context::stack_context allocate() { return {}; }
  void deallocate(context::stack_context&) {}
};

const void* lowest_byte(const context::stack_context& s) { return static_cast<const char*>(s.sp) - s.size; }

// AddressSanitizer follows the stack pointer: it must know where a switch leads to, and where it came from.
#ifdef __SANITIZE_ADDRESS__
void leaving(void** frames, const void* to, std::size_t size) { __sanitizer_start_switch_fiber(frames, to, size); }
void arrived(void* frames, const void** from, std::size_t* size) {
  __sanitizer_finish_switch_fiber(frames, from, size);
}
// The frames of an earlier run may have left marks: its last function never returned, it switched away.
void forget_frames(const context::stack_context& s) { __asan_unpoison_memory_region(lowest_byte(s), s.size); }
#else
void leaving(void**, const void*, std::size_t) {}
void arrived(void*, const void**, std::size_t*) {}
void forget_frames(const context::stack_context&) {}
#endif

}  // namespace

Fiber::Fiber() : stack_(context::protected_fixedsize_stack(kStackBytes).allocate()) {}

Fiber::~Fiber() { context::protected_fixedsize_stack(kStackBytes).deallocate(stack_); }

void Fiber::start(Entry entry, void* argument) {
  forget_frames(stack_);
  context_ = context::fiber(std::allocator_arg, context::preallocated(stack_.sp, stack_.size, stack_), KeepStack{},
                            [this, entry, argument](context::fiber&& caller) {
                              caller_ = std::move(caller);
                              arrived(nullptr, &caller_stack_, &caller_stack_size_);
                              entry(argument);
                              leaving(nullptr, caller_stack_, caller_stack_size_);
                              return std::move(caller_);
                            });
}

void Fiber::resume() {
  leaving(&caller_frames_, lowest_byte(stack_), stack_.size);
  context_ = std::move(context_).resume();
  arrived(caller_frames_, nullptr, nullptr);
}

void Fiber::suspend() {
  leaving(&own_frames_, caller_stack_, caller_stack_size_);
  caller_ = std::move(caller_).resume();
  arrived(own_frames_, &caller_stack_, &caller_stack_size_);
}

}  // namespace gf::simt
