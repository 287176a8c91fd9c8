#include "apps/report/overlay.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace gf {
namespace {

using Color = std::array<std::uint8_t, 3>;

// Okabe and Ito's colours without black; the eighth, a dark wine red, is Tol's.
constexpr Color kClassColors[] = {{230, 159, 0}, {86, 180, 233}, {0, 158, 115},   {240, 228, 66},
                                  {0, 114, 178}, {213, 94, 0},   {204, 121, 167}, {136, 34, 85}};

Color from_hue(double turns, double lightness) {
  const auto channel = [&](double offset) {
    const double k = std::fmod(offset + turns * 12, 12.0), a = 0.65 * std::min(lightness, 1 - lightness);
    return static_cast<std::uint8_t>(255 * (lightness - a * std::clamp(std::min(k - 3, 9 - k), -1.0, 1.0)) + 0.5);
  };
  return {channel(0), channel(8), channel(4)};
}

// Counter-clockwise: what was the right edge becomes the top.
Picture turn(const Picture& p) {
  Picture out(p.w, p.h, p.c);
  for (std::int64_t y = 0; y < out.h; ++y) {
    for (std::int64_t x = 0; x < out.w; ++x) {
      for (std::int64_t c = 0; c < p.c; ++c) out.at(y, x, c) = p.at(x, p.w - 1 - y, c);
    }
  }
  return out;
}

Mask turn(const Mask& m) {
  Mask out(m.w, m.h);
  for (std::int64_t y = 0; y < out.h; ++y) {
    for (std::int64_t x = 0; x < out.w; ++x) out.at(y, x) = m.at(x, m.w - 1 - y);
  }
  return out;
}

// Values to 0..255; not a number becomes black.
struct Stretch {
  double low = 0, gain = 0;

  explicit Stretch(const std::array<double, 2>& range) : low(range[0]) {
    if (range[1] > low) gain = 255 / (range[1] - low);
  }
  double operator()(double v) const {
    const double stretched = (v - low) * gain;
    return stretched > 0 ? std::min(stretched, 255.0) : 0;
  }
};

// Bilinear, pixel centres at half coordinates, edges repeated.
double sample(const Picture& p, double y, double x, std::int64_t c) {
  const double cy = std::clamp(y, 0.0, static_cast<double>(p.h - 1)),
               cx = std::clamp(x, 0.0, static_cast<double>(p.w - 1));
  const auto y0 = static_cast<std::int64_t>(cy), x0 = static_cast<std::int64_t>(cx);
  const std::int64_t y1 = std::min(y0 + 1, p.h - 1), x1 = std::min(x0 + 1, p.w - 1);
  const double fy = cy - static_cast<double>(y0), fx = cx - static_cast<double>(x0);
  return (p.at(y0, x0, c) * (1 - fx) + p.at(y0, x1, c) * fx) * (1 - fy) +
         (p.at(y1, x0, c) * (1 - fx) + p.at(y1, x1, c) * fx) * fy;
}

}  // namespace

std::array<double, 2> display_range(std::span<const float> values) {
  std::vector<float> sorted;
  for (const float v : values) {
    if (std::isfinite(v)) sorted.push_back(v);
  }
  if (sorted.empty()) return {0, 0};
  const auto at = [&](double share) {
    const auto k = static_cast<std::ptrdiff_t>(share * static_cast<double>(sorted.size() - 1) + 0.5);
    std::nth_element(sorted.begin(), sorted.begin() + k, sorted.end());
    return static_cast<double>(sorted[static_cast<std::size_t>(k)]);
  };
  const double low = at(0.005);
  return {low, at(0.995)};
}

std::array<std::uint8_t, 3> class_color(int id) {
  constexpr int fixed = static_cast<int>(std::size(kClassColors));
  if (id <= 0) return {0, 0, 0};
  if (id <= fixed) return kClassColors[id - 1];
  // Steps of the golden ratio keep any number of hues apart; three lightnesses tell neighbours on the wheel apart.
  return from_hue(std::fmod((id - fixed) * 0.61803398875, 1.0), 0.45 + 0.15 * (id % 3));
}

Palette class_palette(int classes) {
  Palette palette;
  for (int id = 0; id < classes; ++id) palette.push_back(class_color(id));
  return palette;
}

Mask turned(Mask mask, int quarter_turns) {
  for (int i = 0; i < (quarter_turns % 4 + 4) % 4; ++i) mask = turn(mask);
  return mask;
}

Bytes8 draw_overlay(const Picture& original, const Mask& original_mask, const OverlayStyle& style) {
  const bool bare = original_mask.values.empty();
  if (!bare && (original.h != original_mask.h || original.w != original_mask.w)) {
    fail("cannot draw an overlay", "picture and mask", std::to_string(original.h) + " x " + std::to_string(original.w),
         std::to_string(original_mask.h) + " x " + std::to_string(original_mask.w));
  }
  Picture p = original;
  for (int i = 0; i < (style.quarter_turns % 4 + 4) % 4; ++i) p = turn(p);
  const Mask mask = bare ? Mask() : turned(original_mask, style.quarter_turns);
  const Stretch stretch(style.range ? *style.range : display_range(p.pixels));
  const std::int64_t scale = std::max(style.scale, 1);
  Bytes8 out{p.h * scale, p.w * scale, 3, {}};
  out.bytes.resize(static_cast<std::size_t>(out.h * out.w * 3));

  const auto class_at = [&](std::int64_t y, std::int64_t x) {
    return mask.at(std::clamp<std::int64_t>(y, 0, out.h - 1) / scale,
                   std::clamp<std::int64_t>(x, 0, out.w - 1) / scale);
  };
  for (std::int64_t y = 0; y < out.h; ++y) {
    for (std::int64_t x = 0; x < out.w; ++x) {
      const int id = bare ? 0 : class_at(y, x);
      const bool edge = style.contours && id > 0 &&
                        (class_at(y - 1, x) != id || class_at(y + 1, x) != id || class_at(y, x - 1) != id ||
                         class_at(y, x + 1) != id);
      const double opacity = id <= 0 ? 0 : edge ? 1 : style.fill;
      const Color color = class_color(id);
      for (std::int64_t c = 0; c < 3; ++c) {
        const double sy = (static_cast<double>(y) + 0.5) / static_cast<double>(scale) - 0.5;
        const double sx = (static_cast<double>(x) + 0.5) / static_cast<double>(scale) - 0.5;
        const double under = stretch(sample(p, sy, sx, p.c == 3 ? c : 0));
        const double v = under * (1 - opacity) + color[static_cast<std::size_t>(c)] * opacity;
        out.bytes[static_cast<std::size_t>((y * out.w + x) * 3 + c)] = static_cast<std::uint8_t>(v + 0.5);
      }
    }
  }
  return out;
}

std::string base64(std::span<const std::uint8_t> bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k) word = word << 8 | (i + k < bytes.size() ? bytes[i + k] : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? digits[word >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string png_data_uri(const Bytes8& picture) { return "data:image/png;base64," + base64(encode_png(picture)); }

}  // namespace gf
