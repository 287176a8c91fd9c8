#include "data/augment_filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/zoom.h"
#include "engine/random.h"
#include "kernels/error.h"
#include "kernels/philox.h"

namespace gf {
namespace {

// The draws of one sample; each has a place of its own, so that switching one off does not change the others. New ones
// go before `places`, which stays.
enum class Draw : std::uint64_t {
  noise,
  noise_size,
  blur,
  blur_size,
  brightness,
  brightness_size,
  contrast,
  contrast_size,
  low_resolution,
  low_resolution_size,
  gamma_inverted,
  gamma_inverted_size,
  gamma,
  gamma_size,
  places = 32
};

class Draws {
 public:
  explicit Draws(const SampleKey& key) : key_(key) {}
  float uniform(Draw d, float low, float high) const {
    static constexpr std::uint64_t stream = named_stream("data.augment.filters");
    const std::uint64_t index = key_.sample * static_cast<std::uint64_t>(Draw::places) + static_cast<std::uint64_t>(d);
    return low + (high - low) * uniform01(philox(key_.seed, stream + key_.epoch, index).v[0]);
  }
  bool happens(Draw d, float share) const { return uniform(d, 0, 1) < share; }

 private:
  SampleKey key_;
};

struct Moments {
  double mean = 0, deviation = 0;
  float least = 0, most = 0;
};

Moments moments(const Picture& p, std::int64_t channel) {
  Moments m;
  m.least = m.most = p.pixels[channel];
  const double n = double(p.h * p.w);
  for (std::size_t i = channel; i < p.pixels.size(); i += p.c) {
    m.mean += p.pixels[i];
    m.least = std::min(m.least, p.pixels[i]);
    m.most = std::max(m.most, p.pixels[i]);
  }
  m.mean /= n;
  for (std::size_t i = channel; i < p.pixels.size(); i += p.c) {
    const double d = p.pixels[i] - m.mean;
    m.deviation += d * d;
  }
  m.deviation = std::sqrt(m.deviation / n);
  return m;
}

// change(value, moments of its channel) becomes the value.
template <class Change>
void each_channel(Picture& p, const Change& change) {
  for (std::int64_t c = 0; c < p.c; ++c) {
    const Moments m = moments(p, c);
    for (std::size_t i = c; i < p.pixels.size(); i += p.c) p.pixels[i] = change(p.pixels[i], m);
  }
}

// Four normal numbers of four random words (Box and Muller).
void normals(const Philox4& r, float* out) {
  for (int k = 0; k < 4; k += 2) {
    const float radius = std::sqrt(-2 * std::log(1 - uniform01(r.v[k])));
    const float angle = 2 * std::numbers::pi_v<float> * uniform01(r.v[k + 1]);
    out[k] = radius * std::cos(angle);
    out[k + 1] = radius * std::sin(angle);
  }
}

void add_noise(Picture& p, float variance, const SampleKey& key) {
  static constexpr std::uint64_t stream = named_stream("data.augment.noise");
  std::vector<float> size(p.c);
  for (std::int64_t c = 0; c < p.c; ++c) size[c] = std::sqrt(variance) * static_cast<float>(moments(p, c).deviation);
  for (std::size_t i = 0; i < p.pixels.size(); i += 4) {
    float four[4];
    normals(philox(key.seed, stream + key.epoch, key.sample << 32 | i / 4), four);
    for (std::size_t k = i; k < std::min(i + 4, p.pixels.size()); ++k) p.pixels[k] += size[k % p.c] * four[k - i];
  }
}

// Weights of -radius .. radius.
std::vector<float> gaussian(float sigma) {
  const int radius = std::max(1, static_cast<int>(4 * sigma + 0.5f));
  std::vector<float> weights(2 * radius + 1);
  float sum = 0;
  for (int i = -radius; i <= radius; ++i) sum += weights[i + radius] = std::exp(-0.5f * float(i * i) / (sigma * sigma));
  for (float& w : weights) w /= sum;
  return weights;
}

// Along one axis of n places, `step` apart, for every one of `lines`; mirrored at the rim (b a | a b c).
void blur_lines(std::vector<float>& values, const std::vector<float>& weights, std::int64_t n, std::int64_t step,
                const std::vector<std::int64_t>& lines) {
  const auto radius = static_cast<std::int64_t>(weights.size() / 2);
  std::vector<float> line(n + 2 * radius);
  const auto mirrored = [n](std::int64_t i) {
    i = (i % (2 * n) + 2 * n) % (2 * n);
    return i < n ? i : 2 * n - 1 - i;
  };
  for (const std::int64_t first : lines) {
    for (std::int64_t i = 0; i < n + 2 * radius; ++i) line[i] = values[first + mirrored(i - radius) * step];
    for (std::int64_t i = 0; i < n; ++i) {
      float sum = 0;
      for (std::size_t k = 0; k < weights.size(); ++k) sum += weights[k] * line[i + k];
      values[first + i * step] = sum;
    }
  }
}

void blur(Picture& p, float sigma) {
  if (sigma <= 0) return;
  const std::vector<float> weights = gaussian(sigma);
  std::vector<std::int64_t> rows, columns;
  for (std::int64_t y = 0; y < p.h; ++y)
    for (std::int64_t c = 0; c < p.c; ++c) rows.push_back(y * p.w * p.c + c);
  for (std::int64_t x = 0; x < p.w * p.c; ++x) columns.push_back(x);
  blur_lines(p.pixels, weights, p.w, p.c, rows);
  blur_lines(p.pixels, weights, p.h, p.w * p.c, columns);
}

void lower_resolution(Picture& p, float scale) {
  const auto side = [scale](std::int64_t n) { return std::max<std::int64_t>(1, std::lround(scale * float(n))); };
  p = zoom(zoom(p, side(p.h), side(p.w), 0), p.h, p.w, 1);
}

void change_gamma(Picture& p, float exponent, bool inverted) {
  const float sign = inverted ? -1 : 1;
  std::vector<Moments> before;
  for (std::int64_t c = 0; c < p.c; ++c) before.push_back(moments(p, c));
  each_channel(p, [&](float v, const Moments& m) {
    const float range = m.most - m.least, t = inverted ? m.most - v : v - m.least;
    return range > 0 ? sign * std::pow(t / range, exponent) : v;
  });
  for (std::int64_t c = 0; c < p.c; ++c) {
    const Moments now = moments(p, c), was = before[c];
    if (now.deviation == 0) continue;
    const double factor = was.deviation / now.deviation;
    for (std::size_t i = c; i < p.pixels.size(); i += p.c)
      p.pixels[i] = static_cast<float>((p.pixels[i] - now.mean) * factor + was.mean);
  }
}

}  // namespace

void check(const Filters& f) {
  const auto require = [](bool good, const char* name, const char* expected, float found) {
    if (!good) throw Error(ErrorKind::usage, {"bad augmentation", name, expected, fmt::format("{}", found), {}});
  };
  const auto share = [&](const char* name, float v) { require(v >= 0 && v <= 1, name, "0 to 1", v); };
  require(f.noise >= 0 && std::isfinite(f.noise), "noise", "0 or more", f.noise);
  require(f.blur >= 0 && f.blur <= 100, "blur", "0 to 100", f.blur);
  require(f.brightness >= 0 && f.brightness <= 1, "brightness", "0 to 1", f.brightness);
  require(f.contrast >= 0 && f.contrast <= 1, "contrast", "0 to 1", f.contrast);
  require(f.low_resolution > 0 && f.low_resolution <= 1, "low_resolution", "more than 0, at most 1", f.low_resolution);
  require(f.gamma >= 0 && std::isfinite(f.gamma), "gamma", "0 or more", f.gamma);
  share("noise_share", f.noise_share);
  share("blur_share", f.blur_share);
  share("brightness_share", f.brightness_share);
  share("contrast_share", f.contrast_share);
  share("low_resolution_share", f.low_resolution_share);
  share("gamma_share", f.gamma_share);
  share("gamma_inverted_share", f.gamma_inverted_share);
}

void apply_filters(Picture& p, const Filters& f, const SampleKey& key) {
  if (!f.any() || p.pixels.empty()) return;
  const Draws draws(key);
  if (f.noise != 0 && draws.happens(Draw::noise, f.noise_share))
    add_noise(p, draws.uniform(Draw::noise_size, 0, f.noise), key);
  if (f.blur != 0 && draws.happens(Draw::blur, f.blur_share))
    blur(p, draws.uniform(Draw::blur_size, f.blur < 0.5f ? 0 : 0.5f, f.blur));
  if (f.brightness != 0 && draws.happens(Draw::brightness, f.brightness_share)) {
    const float factor = draws.uniform(Draw::brightness_size, 1 - f.brightness, 1 + f.brightness);
    for (float& v : p.pixels) v *= factor;
  }
  if (f.contrast != 0 && draws.happens(Draw::contrast, f.contrast_share)) {
    const float factor = draws.uniform(Draw::contrast_size, 1 - f.contrast, 1 + f.contrast);
    each_channel(p, [factor](float v, const Moments& m) {
      const auto mean = static_cast<float>(m.mean);
      return std::clamp((v - mean) * factor + mean, m.least, m.most);
    });
  }
  if (f.low_resolution != 1 && draws.happens(Draw::low_resolution, f.low_resolution_share))
    lower_resolution(p, draws.uniform(Draw::low_resolution_size, f.low_resolution, 1));
  if (f.gamma == 0) return;
  const float log_gamma = std::log1p(f.gamma);
  if (draws.happens(Draw::gamma_inverted, f.gamma_inverted_share))
    change_gamma(p, std::exp(draws.uniform(Draw::gamma_inverted_size, -log_gamma, log_gamma)), true);
  if (draws.happens(Draw::gamma, f.gamma_share))
    change_gamma(p, std::exp(draws.uniform(Draw::gamma_size, -log_gamma, log_gamma)), false);
}

}  // namespace gf
