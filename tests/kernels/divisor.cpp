#include "kernels/divisor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace gf {
namespace {

TEST_CASE("divisor: exact up to 2^31 - 1") {
  std::mt19937 engine(1);
  std::uniform_int_distribution<std::uint32_t> any(0, 0x7fffffff);
  const auto check = [](std::uint32_t value) {
    const Divisor d(value);
    bool exact = true;
    const auto try_number = [&](std::uint64_t n) {
      if (n <= 0x7fffffff) exact = exact && d.quotient(static_cast<std::uint32_t>(n)) == n / value;
    };
    // Quotients step at multiples of the divisor.
    const std::uint64_t last = 0x7fffffffu / value;
    for (std::uint64_t q : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{2}, last / 2, last - 1, last})
      for (int off : {-1, 0, 1}) try_number(q * value + static_cast<std::uint64_t>(static_cast<std::int64_t>(off)));
    try_number(0x7fffffff);
    CHECK_MESSAGE(exact, value);
  };
  for (std::uint32_t value = 1; value < 5000; ++value) check(value);
  for (std::uint32_t shift = 12; shift < 31; ++shift)
    for (std::uint32_t value : {(1u << shift) - 1, 1u << shift, (1u << shift) + 1}) check(value);
  for (int i = 0; i < 5000; ++i) check(std::max(any(engine), 1u));
  check(0x7fffffff);
}

}  // namespace
}  // namespace gf
