#include "kernels/paraphraser.h"

#include <cmath>

#include "kernels/error.h"
#include "tests/harness/kernel_case.h"

namespace gf {
namespace {

using namespace harness;
using Values = std::vector<double>;

constexpr float kSlope = 0.1f;

// A layer in double precision; `rounded` says whether its output goes to bf16.
Values layer(const Shape& s, const Values& x, const Values& w, const Values& bias, std::int64_t out, bool rounded) {
  Values y;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t row = 0; row < s.h; ++row)
      for (std::int64_t column = 0; column < s.w; ++column)
        for (std::int64_t o = 0; o < out; ++o) {
          double sum = bias[static_cast<std::size_t>(o)];
          for (int dy = -1; dy <= 1; ++dy)
            for (int dx = -1; dx <= 1; ++dx) {
              const std::int64_t yy = row + dy, xx = column + dx;
              if (yy < 0 || yy >= s.h || xx < 0 || xx >= s.w) continue;
              for (std::int64_t i = 0; i < s.c; ++i)
                sum += x[static_cast<std::size_t>(((n * s.h + yy) * s.w + xx) * s.c + i)] *
                       w[static_cast<std::size_t>(((o * 3 + dy + 1) * 3 + dx + 1) * s.c + i)];
            }
          sum = sum > 0 ? sum : static_cast<double>(kSlope) * sum;
          y.push_back(rounded ? number_of(element_of<bf16>(sum)) : sum);
        }
  return y;
}

struct Case {
  Shape x;
  std::int64_t out, extra;
};

Buffer<bf16> weights(std::int64_t out, std::int64_t in, unsigned seed) {
  const double bound = 1 / std::sqrt(9.0 * static_cast<double>(in));
  return Buffer<bf16>::random({out, 3, 3, in}, 0, seed, -bound, bound);
}

// Tiles that end inside, at and beyond the picture's edge; channels in packs and not; more than one tile of outputs.
const Case cases[] = {{{1, 1, 1, 1}, 1, 0},    {{1, 8, 16, 16}, 16, 0}, {{2, 9, 17, 20}, 24, 4},
                      {{1, 5, 33, 31}, 33, 1}, {{1, 7, 6, 64}, 80, 8},  {{1, 17, 3, 8}, 7, 0}};

TEST_CASE("paraphraser: a layer by tensor cores and thread by thread") {
  for (const Case& t : cases) {
    INFO(t.x.str(), " to ", t.out);
    const auto x = Buffer<bf16>::random(t.x, t.extra, 1);
    const auto w = weights(t.out, t.x.c, 2);
    const auto bias = Buffer<>::random({1, 1, 1, t.out}, 0, 3);
    const Values want = layer(t.x, x.values(), w.values(), bias.values(), t.out, false);
    const Shape out{t.x.n, t.x.h, t.x.w, t.out};
    on_every_gpu([&](const auto& gpu) {
      Buffer<bf16> y(out, t.extra), naive(out, t.extra);
      paraphraser_layer(gpu, kSlope, x.view(), w.view(), bias.view(), y.view());
      CHECK(relative_error(y.values(), want) < 1.0 / 256);
      CHECK(y.sentinels_intact());
      paraphraser_layer_naive(gpu, kSlope, x.view(), w.view(), bias.view(), naive.view());
      CHECK(relative_error(naive.values(), want) < 1.0 / 256);
      CHECK(naive.sentinels_intact());
      return y.values();
    });
  }
}

TEST_CASE("paraphraser: the narrow layers in one kernel") {
  for (const Case& t : {Case{{1, 1, 1, 3}, 1, 0}, Case{{1, 6, 14, 16}, 24, 0}, Case{{2, 7, 15, 20}, 24, 4},
                        Case{{1, 13, 29, 40}, 32, 8}, Case{{1, 2, 31, 9}, 5, 3}}) {
    INFO(t.x.str(), " to ", t.out);
    const auto x = Buffer<bf16>::random(t.x, t.extra, 4);
    const auto w1 = weights(t.out, t.x.c, 5), w2 = weights(t.out, t.out, 6);
    const auto bias1 = Buffer<>::random({1, 1, 1, t.out}, 0, 7), bias2 = Buffer<>::random({1, 1, 1, t.out}, 0, 8);
    const Shape out{t.x.n, t.x.h, t.x.w, t.out};
    const Values between = layer(t.x, x.values(), w1.values(), bias1.values(), t.out, true);
    const Values want = layer(out, between, w2.values(), bias2.values(), t.out, false);
    on_every_gpu([&](const auto& gpu) {
      Buffer<bf16> y(out, t.extra), first(out), second(out);
      paraphraser_narrow_layers(gpu, kSlope, x.view(), w1.view(), bias1.view(), w2.view(), bias2.view(), y.view());
      CHECK(relative_error(y.values(), want) < 1.0 / 128);  // one rounding of the layer between may fall the other way
      CHECK(y.sentinels_intact());
      // What two launches give, to the bit: the sums are the same in the same order.
      paraphraser_layer(gpu, kSlope, x.view(), w1.view(), bias1.view(), first.view());
      paraphraser_layer(gpu, kSlope, first.view(), w2.view(), bias2.view(), second.view());
      CHECK(same_bits(y.values(), second.values()));
      return y.values();
    });
  }
}

TEST_CASE("paraphraser: what does not fit is refused by name") {
  Buffer<bf16> x({1, 4, 4, 16}), y({1, 4, 4, 40}), w({40, 3, 3, 16}), w2({40, 3, 3, 40});
  Buffer<> bias({1, 1, 1, 40}), x32({1, 4, 4, 16});
  on_every_gpu([&](const auto& gpu) {
    CHECK_THROWS_WITH_AS(paraphraser_layer(gpu, kSlope, x32.view(), w.view(), bias.view(), y.view()),
                         doctest::Contains("x f32 [1,4,4,16]"), Error);
    CHECK_THROWS_WITH_AS(paraphraser_layer(gpu, kSlope, x.view(), w2.view(), bias.view(), y.view()),
                         doctest::Contains("w bf16 [40,3,3,40]"), Error);
    CHECK_THROWS_WITH_AS(
        paraphraser_narrow_layers(gpu, kSlope, x.view(), w.view(), bias.view(), w2.view(), bias.view(), y.view()),
        doctest::Contains("too many factors"), Error);
    return Values{};
  });
}

}  // namespace
}  // namespace gf
