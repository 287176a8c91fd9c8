#include "data/augment.h"

#include <cmath>
#include <set>

#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

Picture ramp(std::int64_t h, std::int64_t w, std::int64_t c = 1) {
  Picture p(h, w, c);
  for (std::size_t i = 0; i < p.pixels.size(); ++i) p.pixels[i] = static_cast<float>(i + 1);
  return p;
}

Mask labels_of(const Picture& p) {  // channel 0 as labels, so that both must move alike
  Mask m(p.h, p.w);
  for (std::size_t i = 0; i < m.values.size(); ++i) m.values[i] = static_cast<std::int32_t>(p.pixels[i * p.c]);
  return m;
}

struct Result {
  Picture picture;
  Mask mask;
};

Result augmented(Picture p, const Augmentation& how, std::uint64_t sample, std::uint64_t epoch = 0,
                 std::uint64_t seed = 1) {
  Result r{p, labels_of(p)};
  augment(r.picture, r.mask, how, {seed, epoch, sample}, -7);
  return r;
}

TEST_CASE("augment: the default changes nothing, and a key gives the same result every time") {
  const Picture p = ramp(5, 6, 2);
  CHECK(augmented(p, {}, 3).picture.pixels == p.pixels);
  Augmentation all;
  all.hflip = all.vflip = all.rot90 = true;
  all.rotation_degrees = 15;
  all.zoom_min = 0.8f, all.zoom_max = 1.25f;
  all.gain = all.offset = all.gamma = 0.2f;
  std::set<std::vector<float>> different;
  for (std::uint64_t sample = 0; sample < 4; ++sample)
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch)
      for (std::uint64_t seed = 0; seed < 2; ++seed) {
        const Result a = augmented(p, all, sample, epoch, seed), b = augmented(p, all, sample, epoch, seed);
        CHECK(a.picture.pixels == b.picture.pixels);
        CHECK(a.mask.values == b.mask.values);
        CHECK(different.insert(a.picture.pixels).second);
      }
}

TEST_CASE("augment: flips and quarter turns move picture and labels alike, and all eight positions occur") {
  Augmentation how;
  how.hflip = how.vflip = how.rot90 = true;
  std::set<std::vector<float>> seen;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const Result r = augmented(ramp(3, 3, 2), how, i);
    CHECK(labels_of(r.picture).values == r.mask.values);
    for (std::size_t k = 0; k < 9; ++k)
      CHECK(r.picture.pixels[2 * k + 1] == r.picture.pixels[2 * k] + 1);  // channels stay together
    CHECK(r.picture.at(1, 1) == 9);
    seen.insert(r.picture.pixels);
  }
  CHECK(seen.size() == 8);

  seen.clear();
  for (std::uint64_t i = 0; i < 100; ++i) seen.insert(augmented(ramp(2, 3), how, i).picture.pixels);
  CHECK(seen.size() == 4);  // not square: never on its side

  Augmentation h, v, quarter;
  h.hflip = true, v.vflip = true, quarter.rot90 = true;
  seen.clear();
  for (std::uint64_t i = 0; i < 50; ++i) seen.insert(augmented(ramp(1, 3), h, i).picture.pixels);
  CHECK(seen == std::set<std::vector<float>>{{1, 2, 3}, {3, 2, 1}});
  seen.clear();
  for (std::uint64_t i = 0; i < 50; ++i) seen.insert(augmented(ramp(3, 1), v, i).picture.pixels);
  CHECK(seen == std::set<std::vector<float>>{{1, 2, 3}, {3, 2, 1}});
  seen.clear();
  for (std::uint64_t i = 0; i < 100; ++i) seen.insert(augmented(ramp(2, 2), quarter, i).picture.pixels);
  CHECK(seen == std::set<std::vector<float>>{
                    {1, 2, 3, 4}, {3, 1, 4, 2}, {4, 3, 2, 1}, {2, 4, 1, 3}});  // turns, no mirror images
}

TEST_CASE("augment: rotation turns about the middle by the stated range, outside is the least value and its label") {
  Augmentation how;
  how.rotation_degrees = 30;
  Picture p(41, 41, 1);
  std::fill(p.pixels.begin(), p.pixels.end(), 5.0f);
  Mask m(41, 41, 1);
  p.at(0, 0) = 2;  // the least value
  p.at(20, 34) = 100;
  m.at(20, 34) = 2;
  double least = 90, most = -90;
  for (std::uint64_t i = 0; i < 200; ++i) {
    Picture q = p;
    Mask n = m;
    augment(q, n, how, {1, 0, i}, -7);
    const auto at = std::max_element(q.pixels.begin(), q.pixels.end()) - q.pixels.begin();
    const double y = double(at / 41) - 20, x = double(at % 41) - 20;
    CHECK(std::hypot(y, x) == doctest::Approx(14).epsilon(0.06));
    const double degrees = std::atan2(y, x) * 180 / 3.14159265358979;
    least = std::min(least, degrees);
    most = std::max(most, degrees);
    const auto lesion = std::find(n.values.begin(), n.values.end(), 2) - n.values.begin();
    if (lesion < 1681) CHECK(std::hypot(double(lesion / 41) - 20 - y, double(lesion % 41) - 20 - x) < 1.5);
    if (std::fabs(degrees) > 10) {
      CHECK(n.at(40, 0) == -7);
      CHECK(q.at(40, 0) < 5);
      CHECK(q.at(40, 0) >= 2);
    }
  }
  CHECK(least < -25);
  CHECK(least > -33);
  CHECK(most > 25);
  CHECK(most < 33);
}

TEST_CASE("augment: zoom enlarges and shrinks by the stated factor, bilinear is exact on a plane") {
  Picture p(33, 33, 1);
  for (std::int64_t y = 0; y < 33; ++y)
    for (std::int64_t x = 0; x < 33; ++x) p.at(y, x) = static_cast<float>(3 * y - 2 * x);
  for (const float zoom : {2.0f, 0.5f}) {
    Augmentation how;
    how.zoom_min = how.zoom_max = zoom;
    const Result r = augmented(p, how, 0);
    for (std::int64_t d = -8; d <= 8; ++d)
      CHECK(r.picture.at(16 + d, 16 - d) == doctest::Approx(16 + 5 * float(d) / zoom).epsilon(1e-4));
    CHECK((zoom < 1) == (r.mask.at(0, 0) == -7));
  }
  Augmentation four;
  four.zoom_min = four.zoom_max = 4;
  const Result r = augmented(p, four, 0);
  for (std::int64_t d = -15; d <= 15; ++d)  // labels are those of the nearest pixel: 16 + d / 4, rounded
    if (d % 4 != 2 && d % 4 != -2)
      CHECK(r.mask.at(16 + d, 16) == static_cast<std::int32_t>(p.at(16 + std::lround(double(d) / 4), 16)));
  Augmentation tiny;
  tiny.zoom_min = 0.5f, tiny.zoom_max = 2;
  tiny.rotation_degrees = 180;
  CHECK(augmented(ramp(1, 1), tiny, 5).picture.pixels == std::vector<float>{1});
}

TEST_CASE("augment: intensity follows its formula and leaves labels alone") {
  Augmentation how;
  how.gain = 0.2f;
  how.offset = 0.1f;
  const Picture p = ramp(2, 5);
  for (std::uint64_t i = 0; i < 50; ++i) {
    const Result r = augmented(p, how, i);
    const float gain = (r.picture.pixels[9] - r.picture.pixels[0]) / 9, offset = (r.picture.pixels[0] - 1) / 9;
    CHECK(gain >= 0.8f);
    CHECK(gain <= 1.2f);
    CHECK(std::fabs(offset) <= 0.1001f);
    CHECK(r.picture.pixels[4] == doctest::Approx(1 + 9 * (gain * 4 / 9 + offset)));
    CHECK(r.mask.values == labels_of(p).values);
  }
  Augmentation gamma;
  gamma.gamma = 1;
  for (std::uint64_t i = 0; i < 50; ++i) {
    const Result r = augmented(p, gamma, i);
    CHECK(r.picture.pixels[0] == 1);
    CHECK(r.picture.pixels[9] == doctest::Approx(10));
    const double e = std::log((r.picture.pixels[4] - 1) / 9) / std::log(4.0 / 9);
    CHECK(e >= 0.499);
    CHECK(e <= 2.001);
  }
  Picture constant(1, 3, 1);
  CHECK(augmented(constant, gamma, 0).picture.pixels == constant.pixels);
}

TEST_CASE("augment: senseless ranges are refused") {
  const auto refused = [](auto change) {
    Augmentation a;
    change(a);
    CHECK_THROWS_AS(check(a), Error);
  };
  refused([](Augmentation& a) { a.rotation_degrees = -1; });
  refused([](Augmentation& a) { a.zoom_min = 0; });
  refused([](Augmentation& a) { a.zoom_min = 2; });
  refused([](Augmentation& a) { a.gain = 1.5f; });
  refused([](Augmentation& a) { a.gamma = NAN; });
  Picture p(2, 2, 1);
  Mask m(2, 3);
  Augmentation flip;
  flip.hflip = true;
  CHECK_THROWS_AS(augment(p, m, flip, {}), Error);
}

}  // namespace
}  // namespace gf
