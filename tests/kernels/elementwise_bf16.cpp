// The .cu bodies on bf16: worked in float32 from the rounded inputs, rounded once.
#include <cmath>

#include "kernels/elementwise.h"
#include "kernels/error.h"
#include "tests/harness/kernel_case.h"

namespace gf {
namespace {

using namespace harness;
using Values = std::vector<double>;

constexpr double kRounding = 1.0 / 256;  // half a unit of 8 significant bits, relative

struct Size {
  Shape s;
  std::int64_t extra_in, extra_out;
};
// Packs of eight channels and single ones.
const Size sizes[] = {{{1, 1, 1, 1}, 0, 0},  {{1, 1, 1, 257}, 0, 0}, {{2, 3, 5, 3}, 1, 2}, {{1, 7, 9, 31}, 0, 1},
                      {{2, 5, 3, 32}, 0, 0}, {{2, 5, 3, 32}, 32, 8}, {{3, 4, 2, 8}, 4, 0}, {{1, 33, 2, 16}, 8, 0}};

// Every element within half a unit in its own last place.
void check_rounded(const Values& got, const Values& want) {
  REQUIRE(got.size() == want.size());
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(got[i])) worst = INFINITY;
    worst = std::max(worst, std::fabs(got[i] - want[i]) / std::max(std::fabs(want[i]), 1e-30));
  }
  CHECK(worst <= kRounding * 1.001);
}

TEST_CASE("bf16: the upper half of a float32, to the nearest, ties to even") {
  CHECK(to_bf16(1.0f).bits == 0x3f80);
  CHECK(to_bf16(-2.5f).bits == 0xc020);
  CHECK(to_bf16(1.0f + 1.0f / 256).bits == 0x3f80);          // a tie: down to even
  CHECK(to_bf16(1.0f + 3.0f / 256).bits == 0x3f82);          // a tie: up to even
  CHECK(to_bf16(1.0f + 1.0f / 256 + 1e-6f).bits == 0x3f81);  // above a tie
  CHECK(to_bf16(3.4e38f).bits == 0x7f80);                    // rounds to infinity
  CHECK(to_float(to_bf16(INFINITY)) == INFINITY);
  CHECK(std::isnan(to_float(to_bf16(std::bit_cast<float>(0x7f800001u)))));  // a NaN whose upper half is infinity
  CHECK(std::isnan(to_float(to_bf16(std::bit_cast<float>(0xffffffffu)))));
  for (std::uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const bf16 x{static_cast<std::uint16_t>(bits)};
    REQUIRE(to_bf16(to_float(x)).bits == bits);
  }
}

TEST_CASE("elementwise bf16: arithmetic, in place and broadcast") {
  for (const Size& size : sizes) {
    CAPTURE(size.s.str());
    const auto a = Buffer<bf16>::random(size.s, size.extra_in, 1),
               b = Buffer<bf16>::random(size.s, size.extra_out, 2, 1, 2),
               row = Buffer<bf16>::random({1, 1, 1, size.s.c}, 0, 3);
    const Values va = a.values(), vb = b.values(), vr = row.values();
    Values product, with_row, relu_grad, sum;
    for (std::size_t i = 0; i < va.size(); ++i) {
      product.push_back(va[i] * vb[i]);
      with_row.push_back(vb[i] * vr[i % vr.size()]);
      relu_grad.push_back(va[i] > 0 ? vb[i] : 0);
      sum.push_back(vb[i] + 0.5 * va[i]);
    }
    on_every_gpu([&](const auto& device) {
      Buffer<bf16> y(size.s, size.extra_out), z(size.s, size.extra_out), dx(size.s), in_place = b;
      binary(device, Binary::mul, a.view(), b.view(), y.view());
      check_rounded(y.values(), product);
      binary(device, Binary::mul, b.view(), row.view(), z.view());
      check_rounded(z.values(), with_row);
      unary_backward(device, Unary::relu, 0, a.view(), b.view(), dx.view());
      CHECK(same_bits(dx.values(), relu_grad));
      axpy(device, 0.5f, a.view(), in_place.view());
      check_rounded(in_place.values(), sum);
      CHECK((y.sentinels_intact() && z.sentinels_intact() && dx.sentinels_intact() && in_place.sentinels_intact()));
      return y.values();
    });
  }
}

TEST_CASE("elementwise bf16: copy rounds and widens") {
  for (const Size& size : sizes) {
    CAPTURE(size.s.str());
    const auto x = Buffer<>::random(size.s, size.extra_in, 4);
    on_every_device([&](const auto& device) {
      Buffer<bf16> narrow(size.s, size.extra_out);
      Buffer<> wide(size.s, size.extra_in);
      copy(device, x.view(), narrow.view());
      check_rounded(narrow.values(), x.values());
      copy(device, narrow.view(), wide.view());
      CHECK(same_bits(wide.values(), narrow.values()));
      CHECK((narrow.sentinels_intact() && wide.sentinels_intact()));
      return narrow.values();
    });
  }
}

TEST_CASE("elementwise bf16: sums are float32 inside, and may stay so") {
  for (const Shape& part : {Shape{1, 1, 1, 32}, Shape{1, 1, 1, 1}, Shape{2, 1, 1, 32}, Shape{2, 33, 31, 1}}) {
    CAPTURE(part.str());
    const Shape full{2, 33, 31, 32};
    const auto x = Buffer<bf16>::random(full, 8, 5, 0.5, 1.5);
    const Values v = x.values();
    Values want(static_cast<std::size_t>(part.count()), 0.0);
    for (std::size_t i = 0; i < v.size(); ++i) {
      const std::size_t c = i % 32, pixel = i / 32 % (33 * 31), n = i / 32 / (33 * 31);
      const std::size_t p = part.h == 1 ? (part.n == 1 ? 0 : n) : n * 33 * 31 + pixel;
      want[part.c == 1 ? p : p * 32 + c] += 0.5 * v[i];
    }
    on_every_gpu([&](const auto& device) {
      Buffer<> exact(part);
      Buffer<bf16> rounded(part);
      sum_to(device, 0.5f, x.view(), exact.view());
      CHECK(relative_error(exact.values(), want) < 1e-6);
      sum_to(device, 0.5f, x.view(), rounded.view());
      check_rounded(rounded.values(), want);
      return exact.values();
    });
  }
}

TEST_CASE("elementwise bf16: dtypes that differ are refused by name") {
  Buffer<> a({1, 2, 3, 4});
  Buffer<bf16> b({1, 2, 3, 4});
  Buffer<std::int32_t> labels({1, 2, 3, 4});
  on_every_gpu([&](const auto& device) {
    CHECK_THROWS_WITH_AS(binary(device, Binary::add, a.view(), b.view(), a.view()),
                         doctest::Contains("b bf16 [1,2,3,4]"), Error);
    CHECK_THROWS_WITH_AS(unary(device, Unary::relu, 0, labels.view(), labels.view()), doctest::Contains("f32 or bf16"),
                         Error);
    CHECK_THROWS_WITH_AS(copy(device, labels.view(), a.view()), doctest::Contains("y f32"), Error);
    return Values{};
  });
}

}  // namespace
}  // namespace gf
