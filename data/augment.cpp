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
enum class Choice : std::uint64_t { kind, rotation, zoom, count = 8 };  // whether, where Draw says how

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
  float uniform(Choice c) const {  // in [0, 1)
    static constexpr std::uint64_t stream = named_stream("data.augment.choice");
    const std::uint64_t index = key_.sample * static_cast<std::uint64_t>(Choice::count) + static_cast<std::uint64_t>(c);
    return uniform01(philox(key_.seed, stream + key_.epoch, index).v[0]);
  }

 private:
  SampleKey key_;
};

struct Flips {
  bool x = false, y = false;
  std::uint32_t quarters = 0;
};

Flips draw_flips(const Augmentation& how, std::uint32_t bits) {
  Flips f{how.hflip && (bits & 1), how.vflip && (bits & 2), how.rot90 ? bits >> 2 & 3 : 0};
  if (how.flip_or_rotate && how.hflip && how.vflip) f.x = bits & 1, f.y = !f.x;
  if (how.flip_or_rotate && how.hflip != how.vflip) f.x = how.hflip, f.y = how.vflip;
  return f;
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
  require(a.rotation_share >= 0 && a.rotation_share <= 1, "rotation_share", "0 to 1", a.rotation_share);
  require(a.zoom_share >= 0 && a.zoom_share <= 1, "zoom_share", "0 to 1", a.zoom_share);
  check(a.filters);
}

bool changes_levels(const Augmentation& how) { return how.gain != 0 || how.offset != 0 || how.gamma != 0; }

PictureChange draw_change(const Augmentation& how, const SampleKey& key, std::int64_t h, std::int64_t w) {
  const Draws draws(key);
  PictureChange change;
  const float kind = how.flip_or_rotate ? draws.uniform(Choice::kind) : 0;
  const bool flips = !how.flip_or_rotate || kind < 0.5f, rotates = !how.flip_or_rotate || kind >= 0.75f;
  if (flips && (how.hflip || how.vflip || how.rot90)) {
    auto [hflip, vflip, quarters] = draw_flips(how, draws.bits(Draw::flips));
    // Two quarters are both flips; one quarter more is a transposition followed by a flip. Only a square stays its
    // shape.
    if (quarters >= 2) hflip = !hflip, vflip = !vflip;
    if (quarters % 2 == 1 && h == w) {
      change.swap = 1;
      hflip = !hflip;
    }
    change.mirror_x = hflip;
    change.mirror_y = vflip;
  }
  const bool turned = rotates && draws.uniform(Choice::rotation) < how.rotation_share,
             zoomed = draws.uniform(Choice::zoom) < how.zoom_share;
  const float degrees = turned ? draws.uniform(Draw::turn, -how.rotation_degrees, how.rotation_degrees) : 0;
  const float zoom = zoomed ? std::exp(draws.uniform(Draw::zoom, std::log(how.zoom_min), std::log(how.zoom_max))) : 1;
  if (degrees != 0 || zoom != 1) {
    const double angle = degrees * std::numbers::pi / 180;
    change.turns = 1;
    change.cosine = std::cos(angle) / zoom;
    change.sine = std::sin(angle) / zoom;
  }
  if (!changes_levels(how)) return change;
  const float log_gamma = std::log1p(how.gamma);
  change.gain = draws.uniform(Draw::gain, 1 - how.gain, 1 + how.gain);
  change.offset = draws.uniform(Draw::offset, -how.offset, how.offset);
  change.gamma = std::exp(draws.uniform(Draw::gamma, -log_gamma, log_gamma));
  return change;
}

std::vector<float> outside_of(const Picture& p, const Augmentation& how) {
  const bool turns = how.rotation_degrees != 0 || how.zoom_min != 1 || how.zoom_max != 1;
  if (!turns || p.pixels.empty()) return std::vector<float>(p.c);  // not looked at
  std::vector<float> least(p.pixels.begin(), p.pixels.begin() + p.c);
  for (const float* pixel = p.pixels.data(); pixel != p.pixels.data() + p.pixels.size(); pixel += p.c)
    for (std::int64_t c = 0; c < p.c; ++c) least[c] = std::min(least[c], pixel[c]);
  return least;
}

void augment(Picture& picture, Mask& mask, const Augmentation& how, const SampleKey& key, std::int32_t outside_label) {
  if (!how.any()) return;
  if (mask.h != picture.h || mask.w != picture.w)
    fail("picture and mask differ in size", "augment", fmt::format("{}x{}", picture.h, picture.w),
         fmt::format("{}x{}", mask.h, mask.w));
  const PictureChange change = draw_change(how, key, picture.h, picture.w);
  const std::vector<float> outside = outside_of(picture, how);
  Picture changed(picture.h, picture.w, picture.c);
  Mask changed_mask(mask.h, mask.w);
  const Shape pixels{1, picture.h, picture.w, picture.c}, labels{1, mask.h, mask.w, 1};
  augment_pictures(Cpu{}, {outside_label, changes_levels(how)}, {&change, DType::i32, {1, 1, 1, kChangeWords}},
                   {outside.data(), DType::f32, {1, 1, 1, picture.c}}, {picture.pixels.data(), DType::f32, pixels},
                   {mask.values.data(), DType::i32, labels}, {changed.pixels.data(), DType::f32, pixels},
                   {changed_mask.values.data(), DType::i32, labels});
  picture = std::move(changed);
  mask = std::move(changed_mask);
  apply_filters(picture, how.filters, key);
}

}  // namespace gf
