#include "kernels/salience.h"

#include "kernels/error.h"
#include "tests/harness/kernel_case.h"

namespace gf {
namespace {

using namespace harness;
using Values = std::vector<double>;

struct Case {
  Shape map;
  SalienceShape p;
  std::int64_t extra_map = 0, extra_patches = 0;  // pixel stride beyond the channels

  std::string name() const {
    return map.str() + " k " + std::to_string(p.k) + (p.mode == SalienceMode::window ? " window" : " peak") +
           (p.absolute ? " absolute" : "");
  }
  Shape positions() const { return {map.n, 1, 1, map.c}; }
  Shape patches() const { return {map.n, 1, map.c, std::int64_t{p.k} * p.k}; }
};

// A map in double precision, zero outside.
struct Map {
  Shape s;
  Values v;
  double at(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) const {
    const bool inside = y >= 0 && y < s.h && x >= 0 && x < s.w;
    return inside ? v[static_cast<std::size_t>(((n * s.h + y) * s.w + x) * s.c + c)] : 0.0;
  }
};

double score(const Map& f, const SalienceShape& p, std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) {
  const auto value = [&](std::int64_t yy, std::int64_t xx) {
    const double v = f.at(n, yy, xx, c);
    return p.absolute ? std::fabs(v) : v;
  };
  if (p.mode == SalienceMode::peak) return value(y, x);
  double sum = 0;
  for (std::int64_t yy = y - p.k / 2; yy <= y + p.k / 2; ++yy) {
    for (std::int64_t xx = x - p.k / 2; xx <= x + p.k / 2; ++xx) sum += value(yy, xx);
  }
  return sum;
}

struct Reference {
  Values positions, patches;
};

Reference reference(const Map& f, const SalienceShape& p) {
  Reference out;
  for (std::int64_t n = 0; n < f.s.n; ++n) {
    for (std::int64_t c = 0; c < f.s.c; ++c) {
      std::int64_t py = 0, px = 0;
      double best = score(f, p, n, 0, 0, c);
      for (std::int64_t y = 0; y < f.s.h; ++y) {
        for (std::int64_t x = 0; x < f.s.w; ++x) {
          const double s = score(f, p, n, y, x, c);
          if (s > best || (std::isnan(s) && !std::isnan(best))) {
            best = s;
            py = y;
            px = x;
          }
        }
      }
      out.positions.push_back(static_cast<double>(py * f.s.w + px));
      for (std::int64_t i = 0; i < p.k; ++i) {
        for (std::int64_t j = 0; j < p.k; ++j) out.patches.push_back(f.at(n, py + i - p.k / 2, px + j - p.k / 2, c));
      }
    }
  }
  return out;
}

void check_forward(const Case& t, const Buffer<>& f) {
  CAPTURE(t.name());
  const Reference expected = reference({t.map, f.values()}, t.p);
  on_every_device([&](const auto& device) {
    Buffer<std::int32_t> positions(t.positions());
    Buffer<> patches(t.patches(), t.extra_patches);
    salience_forward(device, t.p, f.view(), positions.view(), patches.view());
    CHECK(relative_error(positions.values(), expected.positions) == 0);
    CHECK(relative_error(patches.values(), expected.patches) == 0);
    CHECK(positions.sentinels_intact());
    CHECK(patches.sentinels_intact());
    Values outputs = positions.values();
    append(outputs, patches.values());
    return outputs;
  });
}

// df against central differences of sum(upstream * patches) in double precision.
void check_gradient(const Case& t) {
  CAPTURE(t.name());
  const Buffer<> f = Buffer<>::random(t.map, t.extra_map, 5);
  const Buffer<> upstream = Buffer<>::random(t.patches(), t.extra_patches, 6);
  Map map{t.map, f.values()};
  const Values weights = upstream.values();
  const auto objective = [&] {
    const Values patches = reference(map, t.p).patches;
    double sum = 0;
    for (std::size_t i = 0; i < patches.size(); ++i) sum += weights[i] * patches[i];
    return sum;
  };
  Values expected;
  constexpr double kStep = 1e-6;
  for (double& v : map.v) {
    const double centre = v;
    v = centre + kStep;
    const double above = objective();
    v = centre - kStep;
    expected.push_back((above - objective()) / (2 * kStep));
    v = centre;
  }
  const Values found = reference(map, t.p).positions;
  on_every_device([&](const auto& device) {
    const Buffer<std::int32_t> positions = Buffer<std::int32_t>::of(t.positions(), 0, found);
    Buffer<> df(t.map, t.extra_map);
    salience_backward(device, t.p, positions.view(), upstream.view(), df.view());
    CHECK(relative_error(df.values(), expected) < 1e-6);
    CHECK(df.sentinels_intact());
    return df.values();
  });
}

constexpr SalienceMode kPeak = SalienceMode::peak, kWindow = SalienceMode::window;

TEST_CASE("salience: position and patch of every channel") {
  const Case cases[] = {
      {{1, 1, 1, 1}, {1, kPeak, false}},           {{1, 1, 1, 1}, {15, kWindow, true}},
      {{2, 5, 7, 3}, {3, kPeak, false}, 2, 1},     {{2, 9, 6, 3}, {5, kWindow, false}, 1, 0},
      {{3, 8, 8, 24}, {3, kPeak, true}},           {{2, 24, 32, 24}, {9, kPeak, false}, 0, 3},
      {{1, 33, 31, 31}, {3, kPeak, false}, 1, 0},  {{1, 13, 12, 32}, {3, kWindow, true}, 32, 0},
      {{2, 1, 33, 33}, {7, kPeak, false}, 3, 2},   {{2, 40, 1, 33}, {3, kWindow, false}},
      {{1, 6, 5, 64}, {11, kPeak, true}},          {{1, 9, 9, 257}, {3, kPeak, false}, 7, 5},
      {{1, 64, 65, 2}, {15, kPeak, false}, 14, 1}, {{1, 66, 65, 33}, {3, kPeak, true}},
  };
  unsigned seed = 1;
  for (const Case& t : cases) check_forward(t, Buffer<>::random(t.map, t.extra_map, seed++));
}

// Rounded values meet often: many ties.
TEST_CASE("salience: bf16 maps") {
  for (const Case& t : {Case{{2, 24, 32, 24}, {3, kPeak, false}, 8, 3}, Case{{1, 13, 12, 32}, {3, kWindow, true}},
                        Case{{1, 33, 31, 31}, {5, kPeak, true}, 1, 0}}) {
    CAPTURE(t.name());
    const auto f = Buffer<bf16>::random(t.map, t.extra_map, 9);
    const Buffer<> upstream = Buffer<>::random(t.patches(), 0, 10);
    const Reference expected = reference({t.map, f.values()}, t.p);
    on_every_gpu([&](const auto& device) {
      Buffer<std::int32_t> positions(t.positions());
      Buffer<> patches(t.patches(), t.extra_patches), exact(t.map);
      salience_forward(device, t.p, f.view(), positions.view(), patches.view());
      CHECK(relative_error(positions.values(), expected.positions) == 0);
      CHECK(relative_error(patches.values(), expected.patches) == 0);
      Buffer<bf16> df(t.map, t.extra_map);
      salience_backward(device, t.p, positions.view(), upstream.view(), df.view());
      salience_backward(device, t.p, positions.view(), upstream.view(), exact.view());
      CHECK(relative_error(df.values(), exact.values()) < 1.0 / 256);
      CHECK((df.sentinels_intact() && patches.sentinels_intact()));
      return df.values();
    });
  }
  const Buffer<bf16> f({1, 4, 4, 3});
  Buffer<std::int32_t> positions({1, 1, 1, 3});
  Buffer<> patches({1, 1, 3, 9});
  CHECK_THROWS_WITH_AS(salience_forward(Cpu{workspace}, {}, f.view(), positions.view(), patches.view()),
                       doctest::Contains("map bf16 [1,4,4,3]"), Error);
}

TEST_CASE("salience: ties go to the first pixel") {
  for (const SalienceMode mode : {kPeak, kWindow}) {
    const Case t{{2, 17, 19, 33}, {3, mode, false}, 1, 0};
    Buffer<> f = Buffer<>::random(t.map, t.extra_map, 3, 0, 3.999);
    for (std::int64_t i = 0; i < t.map.pixels(); ++i) {
      for (std::int64_t c = 0; c < t.map.c; ++c) f.at(i, c) = c == 0 ? -1.0f : std::floor(f.at(i, c));
    }
    check_forward(t, f);
  }
  Buffer<> zeros = Buffer<>::random({1, 8, 8, 4}, 0, 4, -1, -0.5);
  zeros.at(9, 0) = -0.0f;  // equal to the zero that follows
  zeros.at(20, 0) = 0.0f;
  check_forward({{1, 8, 8, 4}, {1, kPeak, false}}, zeros);
}

TEST_CASE("salience: the first NaN wins, infinities count") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (const SalienceMode mode : {kPeak, kWindow}) {
    for (const bool absolute : {false, true}) {
      const Case t{{1, 21, 20, 33}, {3, mode, absolute}};
      Buffer<> f = Buffer<>::random(t.map, 0, 8);
      f.at(0, 0) = nan;
      f.at(419, 1) = nan;
      f.at(210, 2) = nan;
      f.at(211, 2) = nan;
      f.at(100, 3) = inf;
      f.at(300, 3) = nan;
      f.at(57, 4) = inf;
      f.at(58, 5) = -inf;
      for (std::int64_t i = 0; i < t.map.pixels(); ++i) f.at(i, 32) = nan;
      check_forward(t, f);
    }
  }
}

TEST_CASE("salience: gradient against central differences") {
  check_gradient({{1, 1, 1, 1}, {3, kPeak, false}});
  check_gradient({{2, 4, 5, 3}, {3, kPeak, false}, 2, 1});
  check_gradient({{1, 3, 4, 33}, {5, kPeak, true}, 1, 0});
  check_gradient({{2, 5, 4, 4}, {3, kWindow, false}});
  check_gradient({{1, 4, 3, 5}, {7, kWindow, true}, 0, 3});
}

// Every pixel of a big map is written, once.
TEST_CASE("salience: gradient of wide and narrow maps") {
  for (const Case& t : {Case{{2, 33, 31, 33}, {9, kPeak, false}, 31, 1}, Case{{1, 32, 65, 257}, {3, kPeak, false}},
                        Case{{1, 257, 31, 1}, {15, kPeak, false}, 1, 0}}) {
    CAPTURE(t.name());
    const Buffer<> upstream = Buffer<>::random(t.patches(), t.extra_patches, 2);
    const Values found = reference({t.map, Buffer<>::random(t.map, 0, 1).values()}, t.p).positions;
    Values expected(static_cast<std::size_t>(t.map.count()), 0.0);
    const Values weights = upstream.values();
    const std::int64_t k = t.p.k;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto vertex = static_cast<std::int64_t>(i) / (k * k), element = static_cast<std::int64_t>(i) % (k * k);
      const auto pixel = static_cast<std::int64_t>(found[static_cast<std::size_t>(vertex)]);
      const std::int64_t y = pixel / t.map.w + element / k - k / 2, x = pixel % t.map.w + element % k - k / 2;
      if (y < 0 || y >= t.map.h || x < 0 || x >= t.map.w) continue;
      const std::int64_t n = vertex / t.map.c, c = vertex % t.map.c;
      expected[static_cast<std::size_t>(((n * t.map.h + y) * t.map.w + x) * t.map.c + c)] = weights[i];
    }
    on_every_device([&](const auto& device) {
      const Buffer<std::int32_t> positions = Buffer<std::int32_t>::of(t.positions(), 0, found);
      Buffer<> df(t.map, t.extra_map);
      salience_backward(device, t.p, positions.view(), upstream.view(), df.view());
      CHECK(relative_error(df.values(), expected) == 0);
      CHECK(df.sentinels_intact());
      return df.values();
    });
  }
}

TEST_CASE("salience: arguments that do not fit are refused by name") {
  Buffer<> f({1, 4, 4, 2});
  Buffer<std::int32_t> positions({1, 1, 1, 2});
  Buffer<> patches({1, 1, 2, 9});
  const Cpu cpu{workspace};
  const auto forward = [&](int k, View p, View v) { salience_forward(cpu, {k, kPeak, false}, f.view(), p, v); };
  CHECK_THROWS_WITH_AS(forward(4, positions.view(), patches.view()), doctest::Contains("odd patch size"), Error);
  CHECK_THROWS_WITH_AS(forward(5, positions.view(), patches.view()), doctest::Contains("patches"), Error);
  CHECK_THROWS_WITH_AS(forward(3, f.view(), patches.view()), doctest::Contains("positions"), Error);
}

}  // namespace
}  // namespace gf
