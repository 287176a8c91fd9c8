#include "kernels/matmul.h"

#include <string>

#include "kernels/error.h"
#include "tests/harness/kernel_case.h"

namespace gf {
namespace {

using Buffer = harness::Buffer<>;

struct Case {
  std::int64_t batch_a, batch_b, rows, inner, columns;
  std::int64_t extra = 0;
};

const Case kCases[] = {
    {1, 1, 1, 1, 1},      {1, 1, 1, 257, 1},     {1, 1, 3, 5, 2},        {4, 4, 8, 8, 8},       {1, 1, 31, 33, 32, 3},
    {3, 3, 32, 31, 33},   {3, 1, 33, 32, 31, 5}, {1, 3, 33, 32, 31, 1},  {5, 5, 64, 16, 64, 2}, {1, 1, 257, 64, 9},
    {2, 2, 257, 257, 31}, {1, 1, 64, 0, 64},     {0, 0, 16, 16, 16},     {1, 1, 1, 300, 300},   {1, 1, 300, 300, 1, 1},
    {1, 1, 300, 1, 300},  {7, 1, 1, 64, 1},      {2, 2, 1, 4096, 16, 4},
};

}  // namespace

TEST_CASE("matmul equals the definition for each transpose and stride and broadcast") {
  unsigned seed = 1;
  for (const Case& c : kCases)
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        CAPTURE(c.rows);
        CAPTURE(c.inner);
        CAPTURE(c.columns);
        CAPTURE(ta);
        CAPTURE(tb);
        const std::int64_t batch = std::max(c.batch_a, c.batch_b);
        auto a = Buffer::random({c.batch_a, 1, ta ? c.inner : c.rows, ta ? c.rows : c.inner}, c.extra, ++seed);
        auto b = Buffer::random({c.batch_b, 1, tb ? c.columns : c.inner, tb ? c.inner : c.columns}, c.extra, ++seed);
        Buffer y({batch, 1, c.rows, c.columns}, c.extra), again = y;
        matmul(Cpu{harness::workspace}, ta, tb, a.view(), b.view(), y.view());
        matmul(Cpu{harness::workspace}, ta, tb, a.view(), b.view(), again.view());
        std::vector<double> expected;
        for (std::int64_t n = 0; n < batch; ++n)
          for (std::int64_t i = 0; i < c.rows; ++i)
            for (std::int64_t j = 0; j < c.columns; ++j) {
              double sum = 0;
              const std::int64_t na = c.batch_a == 1 ? 0 : n, nb = c.batch_b == 1 ? 0 : n;
              for (std::int64_t k = 0; k < c.inner; ++k)
                sum += static_cast<double>(ta ? a.at(na * c.inner + k, i) : a.at(na * c.rows + i, k)) *
                       (tb ? b.at(nb * c.columns + j, k) : b.at(nb * c.inner + k, j));
              expected.push_back(sum);
            }
        CHECK(harness::relative_error(y.values(), expected) < 8 * std::sqrt(static_cast<double>(c.inner) + 16) * 6e-8);
        CHECK(y.sentinels_intact());
        if (batch) CHECK(harness::same_bits(y.values(), again.values()));
      }
}

TEST_CASE("matmul: errors name the shapes") {
  const auto message = [](Shape sa, Shape sb, Shape sy) {
    try {
      Buffer a(sa), b(sb), y(sy);
      matmul(Cpu{harness::workspace}, false, true, a.view(), b.view(), y.view());
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  CHECK(message({1, 1, 2, 3}, {1, 1, 4, 5}, {1, 1, 2, 4}) ==
        "matmul: wrong shape: a [1,1,2,3], b [1,1,4,5] transposed, y [1,1,2,4]: expected a [1,1,2,3] and b [1,1,4,3], "
        "found a [1,1,2,3] and b [1,1,4,5]");
  CHECK(message({2, 1, 2, 3}, {1, 1, 4, 3}, {3, 1, 2, 4}) ==
        "matmul: wrong shape: a [2,1,2,3], b [1,1,4,3] transposed, y [3,1,2,4]: expected batches of 3 or 1, found 2 "
        "and 1");
  CHECK(message({1, 2, 2, 3}, {1, 1, 4, 3}, {1, 1, 2, 4}) ==
        "matmul: wrong shape: a [1,2,2,3], b [1,1,4,3] transposed, y [1,1,2,4]: expected matrices (n,1,rows,cols), "
        "found [1,2,2,3]");
}

}  // namespace gf
