#pragma once
// A 2-D picture and its class map: what the network sees one of, be it a photograph or a slice of a volume.
#include <cstdint>
#include <string>
#include <vector>

namespace gf {

struct Extent {
  std::int64_t h = 0, w = 0;
  bool operator==(const Extent&) const = default;
};

// Intensities, row by row, channels of a pixel together: pixels[(y * w + x) * c + channel].
struct Picture {
  std::int64_t h = 0, w = 0, c = 1;
  std::vector<float> pixels;

  Picture() = default;
  Picture(std::int64_t h_, std::int64_t w_, std::int64_t c_) : h(h_), w(w_), c(c_), pixels(h_ * w_ * c_) {}
  float& at(std::int64_t y, std::int64_t x, std::int64_t channel = 0) { return pixels[(y * w + x) * c + channel]; }
  float at(std::int64_t y, std::int64_t x, std::int64_t channel = 0) const { return pixels[(y * w + x) * c + channel]; }
};

// One integer per pixel: stored label values, or class ids after LabelMap::apply.
struct Mask {
  std::int64_t h = 0, w = 0;
  std::vector<std::int32_t> values;

  Mask() = default;
  Mask(std::int64_t h_, std::int64_t w_, std::int32_t fill = 0) : h(h_), w(w_), values(h_ * w_, fill) {}
  std::int32_t& at(std::int64_t y, std::int64_t x) { return values[y * w + x]; }
  std::int32_t at(std::int64_t y, std::int64_t x) const { return values[y * w + x]; }
  std::string size_text() const { return std::to_string(w) + "x" + std::to_string(h); }
};

}  // namespace gf
