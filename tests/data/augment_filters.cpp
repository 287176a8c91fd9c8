#include "data/augment_filters.h"

#include <cmath>
#include <set>

#include "data/augment.h"
#include "tests/data/fixtures.h"

namespace gf {
namespace {

using namespace fixtures;

struct Stats {
  double mean = 0, deviation = 0, least = 1e30, most = -1e30;
};

Stats stats(const Picture& p, std::int64_t c = 0) {
  Stats s;
  const double n = double(p.h * p.w);
  for (std::int64_t i = c; i < p.h * p.w * p.c; i += p.c) {
    s.mean += p.pixels[i] / n;
    s.least = std::min(s.least, double(p.pixels[i]));
    s.most = std::max(s.most, double(p.pixels[i]));
  }
  for (std::int64_t i = c; i < p.h * p.w * p.c; i += p.c) s.deviation += std::pow(p.pixels[i] - s.mean, 2) / n;
  s.deviation = std::sqrt(s.deviation);
  return s;
}

// A bright disc on a slope.
Picture scene(std::int64_t h = 40, std::int64_t w = 32) {
  Picture p(h, w, 1);
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < w; ++x)
      p.at(y, x) = static_cast<float>(0.01 * double(y) + (std::hypot(y - 20.0, x - 16.0) < 8 ? 2 : 0));
  return p;
}

Picture filtered(Picture p, const Filters& f, std::uint64_t sample, std::uint64_t epoch = 0) {
  apply_filters(p, f, {1, epoch, sample});
  return p;
}

TEST_CASE("filters: noise has the stated variance, is new for every sample and none the second time") {
  Filters f;
  f.noise = 0.25f;
  f.noise_share = 1;
  Picture ramp(64, 64, 2);  // channel 1 is 10 times as wide
  for (std::int64_t i = 0; i < 64 * 64; ++i)
    ramp.pixels[2 * i] = static_cast<float>(i % 64), ramp.pixels[2 * i + 1] = 10 * static_cast<float>(i % 64);
  std::set<float> sizes, shapes;
  for (std::uint64_t sample = 0; sample < 40; ++sample) {
    const Picture a = filtered(ramp, f, sample), b = filtered(ramp, f, sample);
    CHECK(a.pixels == b.pixels);
    Picture noise = a;
    for (std::size_t i = 0; i < noise.pixels.size(); ++i) noise.pixels[i] -= ramp.pixels[i];
    const Stats of = stats(ramp), n = stats(noise), wide = stats(noise, 1);
    CHECK(std::abs(n.mean) < 4 * n.deviation / 64);
    CHECK(n.deviation < 1.05 * 0.5 * of.deviation);
    CHECK(wide.deviation == doctest::Approx(10 * n.deviation).epsilon(0.05));
    CHECK(n.most < 5 * n.deviation);
    int inside = 0;
    for (std::size_t i = 0; i < noise.pixels.size(); i += 2) inside += std::abs(noise.pixels[i]) < n.deviation;
    CHECK(inside / 4096.0 == doctest::Approx(0.683).epsilon(0.05));  // normal, not uniform
    sizes.insert(static_cast<float>(n.deviation / of.deviation));
    shapes.insert(std::round(static_cast<float>(100 * noise.at(7, 9) / n.deviation)));
  }
  CHECK(sizes.size() == 40);
  CHECK(shapes.size() > 30);  // not the same noise, larger or smaller
  CHECK(*sizes.begin() < 0.15);
  CHECK(*sizes.rbegin() > 0.45);
  CHECK(filtered(ramp, f, 0, 1).pixels != filtered(ramp, f, 0, 0).pixels);
}

TEST_CASE("filters: blur keeps the mean and spreads a point into a Gaussian") {
  Filters f;
  f.blur = 1;
  f.blur_share = 1;
  Picture point(33, 33, 1);
  point.at(16, 16) = 1;
  for (std::uint64_t sample = 0; sample < 20; ++sample) {
    const Picture b = filtered(point, f, sample);
    double sum = 0, spread = 0;
    for (std::int64_t y = 0; y < 33; ++y)
      for (std::int64_t x = 0; x < 33; ++x) {
        sum += b.at(y, x);
        spread += b.at(y, x) * (y - 16) * (y - 16);
      }
    CHECK(sum == doctest::Approx(1));
    const double sigma = std::sqrt(spread);
    CHECK(sigma > 0.45);
    CHECK(sigma < 1.01);
    if (sigma > 0.7)
      CHECK(b.at(16, 18) / b.at(16, 16) == doctest::Approx(std::exp(-2 / (sigma * sigma))).epsilon(0.02));
    CHECK(b.at(17, 16) == doctest::Approx(b.at(16, 15)));
  }
  Picture constant(3, 1, 1);
  constant.pixels = {4, 4, 4};
  for (const float v : filtered(constant, f, 0).pixels) CHECK(v == doctest::Approx(4));  // nothing comes from outside
}

TEST_CASE("filters: brightness multiplies, contrast spreads about the mean within the range there was") {
  Filters bright, contrast;
  bright.brightness = 0.25f, bright.brightness_share = 1;
  contrast.contrast = 0.25f, contrast.contrast_share = 1;
  const Picture p = scene();
  const Stats was = stats(p);
  double least = 2, most = 0;
  for (std::uint64_t sample = 0; sample < 60; ++sample) {
    const Picture b = filtered(p, bright, sample);
    const double factor = stats(b).most / was.most;
    least = std::min(least, factor), most = std::max(most, factor);
    CHECK(b.at(5, 5) == doctest::Approx(factor * p.at(5, 5)));
    const Picture c = filtered(p, contrast, sample);
    CHECK(stats(c).least >= was.least);
    CHECK(stats(c).most <= was.most);
    CHECK(std::abs(c.at(20, 2) - was.mean) == doctest::Approx(std::abs(p.at(20, 2) - was.mean)).epsilon(0.26));
    CHECK(c.pixels != p.pixels);
  }
  CHECK(least == doctest::Approx(0.75).epsilon(0.03));
  CHECK(most == doctest::Approx(1.25).epsilon(0.03));
}

TEST_CASE("filters: low resolution loses detail and keeps the size, gamma keeps mean and deviation") {
  Filters low, gamma, inverted;
  low.low_resolution = 0.5f, low.low_resolution_share = 1;
  gamma.gamma = 0.5f, gamma.gamma_share = 1, gamma.gamma_inverted_share = 0;
  inverted.gamma = 0.5f, inverted.gamma_share = 0, inverted.gamma_inverted_share = 1;
  Picture stripes(40, 40, 1);
  for (std::int64_t i = 0; i < 1600; ++i) stripes.pixels[i] = static_cast<float>(i % 2);
  const Picture p = scene();
  const Stats was = stats(p);
  int changed = 0, darker = 0;
  for (std::uint64_t sample = 0; sample < 40; ++sample) {
    const Picture l = filtered(stripes, low, sample);
    CHECK(l.h == 40);
    CHECK(l.w == 40);
    changed += l.pixels != stripes.pixels;
    for (const Filters& f : {gamma, inverted}) {
      const Picture g = filtered(p, f, sample);
      CHECK(stats(g).mean == doctest::Approx(was.mean));
      CHECK(stats(g).deviation == doctest::Approx(was.deviation));
      for (std::int64_t x = 0; x < 31; ++x)  // order is kept
        CHECK((p.at(20, x) <= p.at(20, x + 1)) == (g.at(20, x) <= g.at(20, x + 1)));
    }
    const Picture g = filtered(p, gamma, sample), i = filtered(p, inverted, sample);
    darker += (g.at(39, 0) - g.at(0, 0)) < (p.at(39, 0) - p.at(0, 0));  // an exponent above 1 flattens the dark
    CHECK(g.pixels != i.pixels);
  }
  CHECK(changed >= 35);
  CHECK(darker > 8);
  CHECK(darker < 32);
  Picture constant(2, 2, 1);
  constant.pixels = {3, 3, 3, 3};
  CHECK(filtered(constant, gamma, 1).pixels == constant.pixels);
}

TEST_CASE("filters: shares are kept, one does not move the draws of another, senseless sizes are refused") {
  Filters f;
  f.brightness = 0.3f, f.brightness_share = 0.15f;
  Filters more = f;
  more.noise = 0.5f, more.noise_share = 0;
  more.gamma = 0.5f, more.gamma_share = more.gamma_inverted_share = 0;
  const Picture p = scene();
  int changed = 0;
  for (std::uint64_t sample = 0; sample < 1000; ++sample) {
    const Picture a = filtered(p, f, sample);
    changed += a.pixels != p.pixels;
    CHECK(a.pixels == filtered(p, more, sample).pixels);
  }
  CHECK(changed > 110);
  CHECK(changed < 190);
  CHECK_FALSE(Filters{}.any());
  const auto refused = [](auto change) {
    Filters filters;
    change(filters);
    CHECK_THROWS_AS(check(filters), Error);
  };
  refused([](Filters& x) { x.noise = -1; });
  refused([](Filters& x) { x.blur = -1; });
  refused([](Filters& x) { x.low_resolution = 0; });
  refused([](Filters& x) { x.contrast = 2; });
  refused([](Filters& x) { x.gamma = NAN; });
  refused([](Filters& x) { x.gamma_share = 1.5f; });
}

TEST_CASE("augment: TransUNet's choice turns by quarters and flips, or rotates, or leaves alone: 50, 25, 25 %") {
  Augmentation how;
  how.hflip = how.vflip = how.rot90 = how.flip_or_rotate = true;
  how.rotation_degrees = 20;
  int flipped = 0, rotated = 0, left = 0;
  std::set<std::vector<float>> seen;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const PictureChange c = draw_change(how, {1, 0, i}, 9, 9);
    const bool mirrors = c.swap || c.mirror_x || c.mirror_y;
    CHECK_FALSE((mirrors && c.turns));
    rotated += c.turns;
    if (c.turns) CHECK(std::abs(std::asin(c.sine)) <= 20.01 * 3.14159265 / 180);
    if (c.turns) continue;
    Picture p(3, 3, 1);
    for (int k = 0; k < 9; ++k) p.pixels[k] = static_cast<float>(k);
    Mask m(3, 3);
    const std::vector<float> before = p.pixels;
    augment(p, m, how, {1, 0, i});
    (p.pixels == before ? left : flipped) += 1;
    seen.insert(p.pixels);
  }
  // A quarter turn and one flip can never undo each other, so every one of them shows: four mirror images.
  CHECK(seen.size() == 5);
  CHECK(flipped / 2000.0 == doctest::Approx(0.5).epsilon(0.07));
  CHECK(rotated / 2000.0 == doctest::Approx(0.25).epsilon(0.12));
  CHECK(left / 2000.0 == doctest::Approx(0.25).epsilon(0.12));

  how = {};
  how.rotation_degrees = 180, how.rotation_share = 0.2f;
  how.zoom_min = 0.7f, how.zoom_max = 1.4f, how.zoom_share = 0.2f;
  int turned = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) turned += draw_change(how, {1, 0, i}, 9, 9).turns;
  CHECK(turned / 2000.0 == doctest::Approx(0.36).epsilon(0.1));
}

}  // namespace
}  // namespace gf
