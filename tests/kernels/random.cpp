#include "kernels/random.h"

#include <algorithm>
#include <numbers>

#include "kernels/philox.h"
#include "tests/kernels/reference_tools.h"

namespace gf {
namespace {

using namespace harness;

const Cpu cpu{workspace};

bool words_are(const Philox4& p, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) {
  return p.v[0] == a && p.v[1] == b && p.v[2] == c && p.v[3] == d;
}

Values uniform(std::uint64_t seed, std::uint64_t stream, std::int64_t count, float low = 0, float high = 1) {
  Buffer<> y({1, 1, 1, count});
  random_uniform(cpu, seed, stream, low, high, y.view());
  CHECK(y.sentinels_intact());
  return y.values();
}

Values normal(std::uint64_t seed, std::uint64_t stream, std::int64_t count, float mean = 0, float stddev = 1) {
  Buffer<> y({1, 1, 1, count});
  random_normal(cpu, seed, stream, mean, stddev, y.view());
  CHECK(y.sentinels_intact());
  return y.values();
}

double moment(const Values& x, int power, double centre = 0) {
  double sum = 0;
  for (const double v : x) sum += std::pow(v - centre, power);
  return sum / static_cast<double>(x.size());
}

// Known answers of Random123's kat_vectors for philox4x32-10: counter (index, stream), key seed.
TEST_CASE("philox: known answers") {
  CHECK(words_are(philox(0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  const std::uint64_t ones = ~std::uint64_t{0};
  CHECK(words_are(philox(ones, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  // counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0
  CHECK(words_are(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88), 0xd16cfe09, 0x94fdcceb,
                  0x5001e420, 0x24126ea1));
}

TEST_CASE("random_uniform: element i is word i mod 4 of counter i / 4") {
  const Values x = uniform(42, 7, 11);
  for (std::size_t i = 0; i < x.size(); ++i)
    CHECK(x[i] == static_cast<double>(philox(42, 7, i / 4).v[i % 4] >> 8) / 16777216.0);
}

TEST_CASE("random: a fill is a prefix of a longer one, seeds and streams differ") {
  const Values longest = uniform(1, 2, 40001), normals = normal(1, 2, 40001);
  for (const std::int64_t count : {1, 2, 3, 5, 31, 32, 33, 257, 16385}) {
    CHECK(same_bits(uniform(1, 2, count), Values(longest.begin(), longest.begin() + count)));
    CHECK(same_bits(normal(1, 2, count), Values(normals.begin(), normals.begin() + count)));
  }
  CHECK(!same_bits(uniform(1, 3, 40001), longest));
  CHECK(!same_bits(uniform(2, 2, 40001), longest));
  same_on_any_threads([] {
    Values all = uniform(5, 6, 100001);
    append(all, normal(5, 6, 100001));
    return all;
  });
}

TEST_CASE("random_uniform: range and moments") {
  const Values x = uniform(3, 0, 400000, -2, 6);
  CHECK(*std::min_element(x.begin(), x.end()) >= -2);
  CHECK(*std::max_element(x.begin(), x.end()) < 6);
  CHECK(std::fabs(moment(x, 1) - 2) < 0.02);
  CHECK(std::fabs(moment(x, 2, 2) - 64.0 / 12) < 0.03);
  std::vector<int> bins(64);
  for (const double v : x) ++bins[static_cast<std::size_t>((v + 2) * 8)];
  double chi = 0;
  for (const int b : bins) chi += (b - 6250.0) * (b - 6250.0) / 6250.0;
  CHECK(chi > 30);  // 63 degrees of freedom: between the 0.01 % and the 99.99 % quantile
  CHECK(chi < 112);
  // Rounding up to `high` itself is refused: these bounds are two floats apart.
  const float low = 1, high = std::nextafter(std::nextafter(low, 2.0f), 2.0f);
  for (const double v : uniform(3, 1, 10000, low, high)) CHECK(v < static_cast<double>(high));
}

TEST_CASE("random_normal: moments, and Box-Muller by its formula") {
  const Values x = normal(9, 4, 400000, 3, 2);
  CHECK(std::fabs(moment(x, 1) - 3) < 0.015);
  CHECK(std::fabs(moment(x, 2, 3) - 4) < 0.05);
  CHECK(std::fabs(moment(x, 3, 3)) < 0.25);
  CHECK(std::fabs(moment(x, 4, 3) - 48) < 1.5);
  const Philox4 words = philox(9, 4, 0);
  const double u = 1 - static_cast<double>(words.v[2] >> 8) / 16777216.0;
  const double angle = 2 * std::numbers::pi * static_cast<double>(words.v[3] >> 8) / 16777216.0;
  CHECK(std::fabs(x[2] - (3 + 2 * std::sqrt(-2 * std::log(u)) * std::cos(angle))) < 1e-6);
  CHECK(std::fabs(x[3] - (3 + 2 * std::sqrt(-2 * std::log(u)) * std::sin(angle))) < 1e-6);
}

TEST_CASE("dropout_mask: 0 or 1 / (1 - p), with frequency p") {
  for (const float p : {0.0f, 0.25f, 0.5f, 1.0f}) {
    Buffer<> mask({40, 1, 1, 500});
    dropout_mask(cpu, 11, 1, p, mask.view());
    double zeros = 0;
    const double keep = p < 1 ? 1 / (1 - static_cast<double>(p)) : 0;
    for (const double v : mask.values()) {
      zeros += v == 0 ? 1 : 0;
      CHECK((v == 0 || std::fabs(v - keep) < 1e-6));
    }
    CHECK(std::fabs(zeros / 20000 - static_cast<double>(p)) < 0.015);
    CHECK(mask.sentinels_intact());
  }
}

TEST_CASE("random: the GPU bodies give the CPU's bits") {
  for (const std::int64_t count : {1, 2, 3, 4, 5, 31, 33, 257, 1025}) {
    const Shape s{1, 1, 1, count};
    Buffer<> dropped(s);
    dropout_mask(cpu, 11, 3, 0.3f, dropped.view());
    const Values want = uniform(42, 7, count, -0.7f, 1.3f), normals = normal(42, 8, count, 0.5f, 2),
                 mask = dropped.values();
    on_every_gpu([&](const auto& gpu) {
      Buffer<> y(s), z(s), m(s);
      Buffer<bf16> half(s);
      random_uniform(gpu, 42, 7, -0.7f, 1.3f, y.view());
      CHECK(same_bits(y.values(), want));
      random_normal(gpu, 42, 8, 0.5f, 2, z.view());
      CHECK(relative_error(z.values(), normals) < 1e-7);
      dropout_mask(gpu, 11, 3, 0.3f, m.view());
      CHECK(same_bits(m.values(), mask));
      dropout_mask(gpu, 11, 3, 0.3f, half.view());
      CHECK(relative_error(half.values(), mask) < 1.0 / 256);
      CHECK((y.sentinels_intact() && z.sentinels_intact() && m.sentinels_intact() && half.sentinels_intact()));
      return z.values();
    });
  }
}

TEST_CASE("random: an offset in memory counts on from the stream") {
  const Shape s{2, 1, 1, 65};
  on_every_device([&](const auto& device) {
    Values all;
    for (const std::uint32_t step : {0u, 1u, 7u, 0xffffffffu}) {
      const auto offset = Buffer<std::int32_t>::of({1, 1, 1, 1}, 0, {static_cast<double>(static_cast<int>(step))});
      Buffer<> counted(s), direct(s);
      dropout_mask(device, 11, 3, 0.5f, counted.view(), offset.view());
      dropout_mask(device, 11, 3 + std::uint64_t{step}, 0.5f, direct.view());
      CHECK(same_bits(counted.values(), direct.values()));
      CHECK(counted.sentinels_intact());
      append(all, counted.values());
      random_uniform(device, 11, 3, -1, 1, counted.view(), offset.view());
      random_uniform(device, 11, 3 + std::uint64_t{step}, -1, 1, direct.view());
      CHECK(same_bits(counted.values(), direct.values()));
      CHECK(counted.sentinels_intact());
      random_normal(device, 11, 3, 0, 1, counted.view(), offset.view());
      random_normal(device, 11, 3 + std::uint64_t{step}, 0, 1, direct.view());
      CHECK(same_bits(counted.values(), direct.values()));
      CHECK(counted.sentinels_intact());
    }
    CHECK(!std::equal(all.begin(), all.begin() + s.count(), all.begin() + s.count()));
    return all;
  });
}

TEST_CASE("random: errors name kernel, tensor and shapes") {
  Buffer<> gaps({1, 1, 3, 4}, 2), y({1, 1, 1, 4});
  Buffer<std::int32_t> two({1, 1, 1, 2});
  on_every_device([&](const auto& device) {
    CHECK(message_of([&] { random_normal(device, 0, 0, 0, 1, gaps.view()); }) ==
          "random_normal: not dense: y f32 [1,1,3,4]: expected pixel stride 4, found 6; copy it to a dense tensor "
          "first");
    CHECK(message_of([&] { random_uniform(device, 0, 0, 1, 1, y.view()); }) ==
          "random_uniform: empty range: y f32 [1,1,1,4]: expected low < high, found 1.000000 and 1.000000");
    CHECK(message_of([&] { dropout_mask(device, 0, 0, 1.5f, y.view()); }) ==
          "dropout_mask: probability: mask f32 [1,1,1,4]: expected 0 <= p <= 1, found 1.500000");
    CHECK(message_of([&] { dropout_mask(device, 0, 0, 0.5f, y.view(), two.view()); }) ==
          "dropout_mask: wrong shape: offset i32 [1,1,1,2]: expected [1,1,1,1], found [1,1,1,2]");
    CHECK(message_of([&] { random_normal(device, 0, 0, 0, 1, y.view(), two.view()); }) ==
          "random_normal: wrong shape: offset i32 [1,1,1,2]: expected [1,1,1,1], found [1,1,1,2]");
    CHECK(message_of([&] { random_uniform(device, 0, 0, 0, 1, y.view(), two.view()); }) ==
          "random_uniform: wrong shape: offset i32 [1,1,1,2]: expected [1,1,1,1], found [1,1,1,2]");
    CHECK(message_of([&] { dropout_mask(device, 0, 0, 0.5f, y.view(), y.view()); }) ==
          "dropout_mask: wrong dtype: offset f32 [1,1,1,4]: expected i32, found f32");
    return Values{};
  });
}

}  // namespace
}  // namespace gf
