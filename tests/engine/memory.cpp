#include "engine/memory.h"

#include <doctest/doctest.h>

#include <thread>

#include "engine/tensor.h"
#include "kernels/error.h"

namespace gf::test {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCached = false;
#else
constexpr bool kCached = true;
#endif

TEST_CASE("statistics: now, peak, by tag") {
  const MemoryStatistics before = memory_statistics();
  reset_memory_peak();
  CHECK(memory_statistics().total.peak == before.total.now);
  {
    const MemoryTag tag("a test");
    const auto a = allocate(1 << 20);
    {
      const MemoryTag inner("inner");
      const auto b = allocate(1 << 19);
      CHECK(memory_statistics().by_tag["inner"].now == 1 << 19);
    }
    const auto c = allocate(1000);
    MemoryStatistics s = memory_statistics();
    CHECK(s.by_tag["a test"].now == (1 << 20) + 1024);
    CHECK(s.by_tag["inner"].now == 0);
    CHECK(s.by_tag["inner"].peak == 1 << 19);
    CHECK(s.total.now == before.total.now + (1 << 20) + 1024);
    CHECK(s.total.peak == before.total.now + (1 << 20) + (1 << 19));
  }
  CHECK(memory_statistics().total.now == before.total.now);
  reset_memory_peak();
  CHECK(memory_statistics().by_tag["a test"].peak == 0);
}

TEST_CASE("a freed block is handed out again for the same size") {
  if (!kCached) return;
  release_cached_memory();
  CHECK(memory_statistics().cached == 0);
  void* first = nullptr;
  {
    const auto a = allocate(3 << 20);
    first = a.get();
  }
  CHECK(memory_statistics().cached == 3 << 20);
  const auto b = allocate(3 << 20);
  CHECK(b.get() == first);
  CHECK(memory_statistics().cached == 0);
}

TEST_CASE("blocks are aligned, hold what was asked for and waste at most an eighth") {
  for (const std::size_t bytes :
       {0ul, 1ul, 255ul, 257ul, 1000ul, 1025ul, 5000ul, 65537ul, (1ul << 20) + 1, 123456789ul}) {
    const std::size_t before = memory_statistics().total.now;
    const auto block = allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block.get()) % 64 == 0);
    const std::size_t got = memory_statistics().total.now - before;
    CHECK(got >= bytes);
    CHECK(got <= std::max<std::size_t>(bytes + bytes / 8 + 1, bytes + 256));
  }
  release_cached_memory();
}

TEST_CASE("running out of memory says what is in use and what to lower") {
  if (!kCached) return;  // AddressSanitizer refuses such sizes itself
  const MemoryTag tag("teacher");
  const auto held = allocate(5 << 20);
  try {
    allocate(std::size_t{1} << 60);
    FAIL("an exabyte was allocated");
  } catch (const Error& e) {
    CHECK(e.kind() == ErrorKind::out_of_memory);
    const std::string text = e.what();
    CHECK(text.find("out of memory: a tensor of 1099511627776 MiB") == 0);
    CHECK(text.find("teacher 5 MiB") != std::string::npos);
    CHECK(text.find("lower train.batch_size") != std::string::npos);
  }
}

TEST_CASE("threads allocate and free side by side") {
  const std::size_t before = memory_statistics().total.now;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      std::vector<std::shared_ptr<void>> held;
      for (std::size_t i = 0; i < 500; ++i) {
        held.push_back(allocate(100 * (i % 7 + 1) + static_cast<std::size_t>(t)));
        if (i % 3 == 2) held.erase(held.begin());
      }
    });
  for (std::thread& t : threads) t.join();
  CHECK(memory_statistics().total.now == before);
}

TEST_CASE("the workspace grows, is aligned and keeps its place while it suffices") {
  void* const big = cpu_workspace(1 << 20);
  CHECK(reinterpret_cast<std::uintptr_t>(big) % 64 == 0);
  CHECK(cpu_workspace(1 << 10) == big);
}

}  // namespace gf::test
