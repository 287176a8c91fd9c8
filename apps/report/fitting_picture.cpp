#include "apps/report/fitting_picture.h"

#include <algorithm>
#include <cmath>

#include "apps/report/overlay.h"

namespace gf {

Bytes8 shrunk_to(const Bytes8& p, std::int64_t side) {
  const std::int64_t longer = std::max(p.h, p.w);
  if (longer <= side) return p;
  const auto scaled = [&](std::int64_t n) { return std::max<std::int64_t>(1, (n * side + longer / 2) / longer); };
  Bytes8 out{scaled(p.h), scaled(p.w), p.c, {}};
  for (std::int64_t y = 0; y < out.h; ++y) {
    const std::int64_t top = y * p.h / out.h, bottom = std::max(top + 1, (y + 1) * p.h / out.h);
    for (std::int64_t x = 0; x < out.w; ++x) {
      const std::int64_t left = x * p.w / out.w, right = std::max(left + 1, (x + 1) * p.w / out.w);
      for (std::int64_t c = 0; c < p.c; ++c) {
        std::int64_t sum = 0;
        const std::int64_t count = (bottom - top) * (right - left);
        for (std::int64_t i = top; i < bottom; ++i)
          for (std::int64_t j = left; j < right; ++j) sum += p.bytes[static_cast<std::size_t>((i * p.w + j) * p.c + c)];
        out.bytes.push_back(static_cast<std::uint8_t>((sum + count / 2) / count));
      }
    }
  }
  return out;
}

std::string fitting_png(std::int64_t side, std::size_t bytes, const std::function<Bytes8(std::int64_t side)>& draw) {
  constexpr std::int64_t kSmallest = 16;
  for (;;) {
    const Bytes8 picture = draw(side);
    std::string uri = png_data_uri(picture);
    side = std::min(side, std::max(picture.h, picture.w));
    if (uri.size() <= bytes || side <= kSmallest) return uri;
    // Bytes go with the area; a little less, so that the next try mostly is the last.
    const double share = std::min(0.95 * std::sqrt(double(bytes) / double(uri.size())), 0.95);
    side = std::max(kSmallest, static_cast<std::int64_t>(double(side) * share));
  }
}

}  // namespace gf
