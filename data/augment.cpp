#include "data/augment.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/random.h"
#include "kernels/error.h"
#include "kernels/philox.h"

namespace gf {
namespace {

// The draws of one sample. Every decision has a place of its own, so switching one off does not change the others.
enum class Draw : std::uint64_t { flips, turn, zoom, gain, offset, gamma, count };

class Draws {
 public:
  explicit Draws(const SampleKey& key) : key_(key) {}
  std::uint32_t bits(Draw d) const {
    static constexpr std::uint64_t stream = named_stream("data.augment");
    return philox(key_.seed, stream + key_.epoch,
                  key_.sample * static_cast<std::uint64_t>(Draw::count) + static_cast<std::uint64_t>(d))
        .v[0];
  }
  float uniform(Draw d, float low, float high) const { return low + (high - low) * uniform01(bits(d)); }

 private:
  SampleKey key_;
};

template <class T>
void mirror_rows(std::vector<T>& v, std::int64_t h, std::int64_t w, std::int64_t c) {  // left-right
  for (std::int64_t y = 0; y < h; ++y)
    for (std::int64_t x = 0; x < w / 2; ++x)
      std::swap_ranges(&v[(y * w + x) * c], &v[(y * w + x) * c] + c, &v[(y * w + w - 1 - x) * c]);
}

template <class T>
void mirror_columns(std::vector<T>& v, std::int64_t h, std::int64_t row) {  // upside down
  for (std::int64_t y = 0; y < h / 2; ++y) std::swap_ranges(&v[y * row], &v[y * row] + row, &v[(h - 1 - y) * row]);
}

template <class T>
void transpose(std::vector<T>& v, std::int64_t n, std::int64_t c) {
  for (std::int64_t y = 0; y < n; ++y)
    for (std::int64_t x = 0; x < y; ++x)
      std::swap_ranges(&v[(y * n + x) * c], &v[(y * n + x) * c] + c, &v[(x * n + y) * c]);
}

void flip_and_turn(Picture& p, Mask& m, const Augmentation& how, std::uint32_t bits) {
  bool hflip = how.hflip && (bits & 1), vflip = how.vflip && (bits & 2);
  const std::uint32_t quarters = how.rot90 ? bits >> 2 & 3 : 0;
  // Two quarters are both flips; one quarter more is a transposition followed by a flip. Only a square stays its shape.
  if (quarters >= 2) hflip = !hflip, vflip = !vflip;
  if (quarters % 2 == 1 && p.h == p.w) {
    transpose(p.pixels, p.h, p.c);
    transpose(m.values, m.h, 1);
    hflip = !hflip;
  }
  if (hflip) mirror_rows(p.pixels, p.h, p.w, p.c), mirror_rows(m.values, m.h, m.w, 1);
  if (vflip) mirror_columns(p.pixels, p.h, p.w * p.c), mirror_columns(m.values, m.h, m.w);
}

std::vector<float> least_of_channels(const Picture& p) {
  std::vector<float> least(p.pixels.begin(), p.pixels.begin() + p.c);
  for (std::size_t i = 0; i < p.pixels.size(); ++i) least[i % p.c] = std::min(least[i % p.c], p.pixels[i]);
  return least;
}

// out(y, x) = in(rotate(-angle, (y, x) - middle) / zoom + middle)
void rotate_and_zoom(Picture& p, Mask& m, float degrees, float zoom, std::int32_t outside_label) {
  const Picture from = p;
  const Mask labels = m;
  const std::vector<float> outside = least_of_channels(p);
  const double angle = degrees * std::numbers::pi / 180, cosine = std::cos(angle) / zoom, sine = std::sin(angle) / zoom;
  const double middle_y = double(p.h - 1) / 2, middle_x = double(p.w - 1) / 2;
  for (std::int64_t y = 0; y < p.h; ++y)
    for (std::int64_t x = 0; x < p.w; ++x) {
      const double dy = double(y) - middle_y, dx = double(x) - middle_x;
      const double v = cosine * dy - sine * dx + middle_y, u = sine * dy + cosine * dx + middle_x;
      const std::int64_t v0 = static_cast<std::int64_t>(std::floor(v)), u0 = static_cast<std::int64_t>(std::floor(u));
      const float fv = static_cast<float>(v - double(v0)), fu = static_cast<float>(u - double(u0));
      for (std::int64_t c = 0; c < p.c; ++c) {
        const auto at = [&](std::int64_t yy, std::int64_t xx) {
          return yy >= 0 && yy < p.h && xx >= 0 && xx < p.w ? from.at(yy, xx, c) : outside[c];
        };
        p.at(y, x, c) = (1 - fv) * ((1 - fu) * at(v0, u0) + fu * at(v0, u0 + 1)) +
                        fv * ((1 - fu) * at(v0 + 1, u0) + fu * at(v0 + 1, u0 + 1));
      }
      const std::int64_t vn = static_cast<std::int64_t>(std::floor(v + 0.5)),
                         un = static_cast<std::int64_t>(std::floor(u + 0.5));
      m.at(y, x) = vn >= 0 && vn < p.h && un >= 0 && un < p.w ? labels.at(vn, un) : outside_label;
    }
}

void change_intensity(Picture& p, float gain, float offset, float gamma) {
  const auto [least, most] = std::minmax_element(p.pixels.begin(), p.pixels.end());
  const float low = *least, range = *most - *least;
  if (!(range > 0)) return;
  for (float& x : p.pixels) {
    float t = (x - low) / range;
    if (gamma != 1) t = std::pow(t, gamma);
    x = low + range * (gain * t + offset);
  }
}

}  // namespace

void check(const Augmentation& a) {
  const auto require = [](bool good, const char* name, const char* expected, float found) {
    if (!good) throw Error(ErrorKind::usage, {"bad augmentation", name, expected, fmt::format("{}", found), {}});
  };
  require(a.rotation_degrees >= 0 && a.rotation_degrees <= 180, "rotation_degrees", "0 to 180", a.rotation_degrees);
  require(a.zoom_min > 0, "zoom_min", "more than 0", a.zoom_min);
  require(a.zoom_max >= a.zoom_min && std::isfinite(a.zoom_max), "zoom_max", "at least zoom_min", a.zoom_max);
  require(a.gain >= 0 && a.gain <= 1, "gain", "0 to 1", a.gain);
  require(a.offset >= 0 && std::isfinite(a.offset), "offset", "0 or more", a.offset);
  require(a.gamma >= 0 && std::isfinite(a.gamma), "gamma", "0 or more", a.gamma);
}

void augment(Picture& picture, Mask& mask, const Augmentation& how, const SampleKey& key, std::int32_t outside_label) {
  if (!how.any()) return;
  if (mask.h != picture.h || mask.w != picture.w)
    fail("picture and mask differ in size", "augment", fmt::format("{}x{}", picture.h, picture.w),
         fmt::format("{}x{}", mask.h, mask.w));
  const Draws draws(key);
  if (how.hflip || how.vflip || how.rot90) flip_and_turn(picture, mask, how, draws.bits(Draw::flips));
  const float degrees = draws.uniform(Draw::turn, -how.rotation_degrees, how.rotation_degrees);
  const float zoom = std::exp(draws.uniform(Draw::zoom, std::log(how.zoom_min), std::log(how.zoom_max)));
  if (degrees != 0 || zoom != 1) rotate_and_zoom(picture, mask, degrees, zoom, outside_label);
  if (how.gain == 0 && how.offset == 0 && how.gamma == 0) return;
  const float log_gamma = std::log1p(how.gamma);
  change_intensity(picture, draws.uniform(Draw::gain, 1 - how.gain, 1 + how.gain),
                   draws.uniform(Draw::offset, -how.offset, how.offset),
                   std::exp(draws.uniform(Draw::gamma, -log_gamma, log_gamma)));
}

}  // namespace gf
