// The allocator on a memory that tests can exhaust.
#include "engine/caching_allocator.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

#include "kernels/error.h"

namespace gf::test {
namespace {

std::size_t left = 0;  // bytes the fake memory still has
std::set<void*> out;   // blocks it has handed out
int taken = 0;

void* take(std::size_t bytes) {
  if (bytes > left) return nullptr;
  left -= bytes;
  ++taken;
  // The size stands before the block, so that it can be given back.
  auto* p = static_cast<std::size_t*>(std::malloc(bytes + 64));
  *p = bytes;
  void* block = reinterpret_cast<std::byte*>(p) + 64;
  out.insert(block);
  return block;
}

void give(void* block) {
  REQUIRE(out.erase(block) == 1);
  auto* p = reinterpret_cast<std::size_t*>(static_cast<std::byte*>(block) - 64);
  left += *p;
  std::free(p);
}

struct Fake {
  CachingAllocator allocator{{"a fake memory", take, give, true}};
  explicit Fake(std::size_t bytes) {
    left = bytes;
    taken = 0;
  }
  ~Fake() {
    allocator.release_cached();
    CHECK(out.empty());
  }
};

constexpr std::size_t kMiB = 1 << 20;

std::string message_of(const auto& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST_CASE("allocator: the cache is given back before memory is said to be out") {
  Fake f(8 * kMiB);
  f.allocator.allocate(5 * kMiB, "a");  // freed at once, kept
  CHECK(f.allocator.statistics().cached == 5 * kMiB);
  const auto b = f.allocator.allocate(6 * kMiB, "b");
  CHECK(f.allocator.statistics().cached == 0);
  CHECK(taken == 2);
}

TEST_CASE("allocator: out of memory names the largest tensors and what to lower") {
  Fake f(8 * kMiB);
  const auto a = f.allocator.allocate(kMiB, "optimiser");
  const auto b = f.allocator.allocate(4 * kMiB, "teacher", {{1, 64, 64, 256}, DType::f32});
  const auto c = f.allocator.allocate(2 * kMiB, "activations", {{2, 64, 64, 128}, DType::bf16});
  const std::string text = message_of([&] {
    f.allocator.allocate(2 * kMiB, "activations", {{8, 64, 64, 16}, DType::f32});
  });
  INFO(text);
  CHECK(text.find("out of memory: a tensor of 2 MiB (f32 [8,64,64,16]) on a fake memory") == 0);
  CHECK(text.find("7 MiB in use (activations 2 MiB, optimiser 1 MiB, teacher 4 MiB)") != std::string::npos);
  CHECK(text.find("the largest: 4 MiB teacher f32 [1,64,64,256], 2 MiB activations bf16 [2,64,64,128], 1 MiB "
                  "optimiser") != std::string::npos);
  CHECK(text.find("lower train.batch_size") != std::string::npos);
  CHECK(f.allocator.statistics().total.now == 7 * kMiB);  // the refused one left no trace
}

TEST_CASE("allocator: a pool's blocks stay its own") {
  Fake f(64 * kMiB);
  const CachingAllocator::Pool pool = f.allocator.make_pool();
  void* warm = nullptr;
  {
    const PoolScope scope(f.allocator, pool, false);
    warm = f.allocator.allocate(3 * kMiB, "step").get();  // freed at once, into the pool
  }
  const auto outside = f.allocator.allocate(3 * kMiB, "other");
  CHECK(outside.get() != warm);
  f.allocator.release_cached();
  CHECK(out.contains(warm));  // the pool is not part of the cache
  {
    const PoolScope scope(f.allocator, pool, true);
    const auto again = f.allocator.allocate(3 * kMiB, "step");
    CHECK(again.get() == warm);
    const std::string text = message_of([&] {
      f.allocator.allocate(3 * kMiB, "step", {{1, 32, 32, 768}, DType::f32});
    });
    CHECK(text.find("new memory while a step is being captured: 3 MiB, f32 [1,32,32,768]") == 0);
  }
  f.allocator.drop_pool(pool);
  CHECK(!out.contains(warm));
}

TEST_CASE("allocator: a block that outlives its pool joins the common memory") {
  Fake f(64 * kMiB);
  const CachingAllocator::Pool pool = f.allocator.make_pool();
  std::shared_ptr<void> kept;
  {
    const PoolScope scope(f.allocator, pool, false);
    kept = f.allocator.allocate(kMiB, "step");
  }
  f.allocator.drop_pool(pool);
  void* const address = kept.get();
  CHECK(out.contains(address));
  kept.reset();
  CHECK(f.allocator.allocate(kMiB, "other").get() == address);
}

TEST_CASE("allocator: pools do not nest") {
  Fake f(kMiB);
  const CachingAllocator::Pool pool = f.allocator.make_pool();
  const PoolScope scope(f.allocator, pool, false);
  CHECK(message_of([&] { f.allocator.begin_pool(pool, false); }).find("memory pools do not nest") == 0);
}

}  // namespace
}  // namespace gf::test
