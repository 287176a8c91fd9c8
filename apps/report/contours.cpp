#include "apps/report/contours.h"

#include <algorithm>

#include "kernels/error.h"

namespace gf {
namespace {

// A mask as if it had the picture's size.
struct Stretched {
  const Mask& mask;
  std::int64_t h, w;

  std::int32_t at(std::int64_t y, std::int64_t x) const {
    y = std::clamp<std::int64_t>(y, 0, h - 1);
    x = std::clamp<std::int64_t>(x, 0, w - 1);
    return std::max(mask.at((2 * y + 1) * mask.h / (2 * h), (2 * x + 1) * mask.w / (2 * w)), 0);
  }
  bool ends(std::int64_t y, std::int64_t x) const {
    const std::int32_t id = at(y, x);
    return id > 0 && (at(y - 1, x) != id || at(y + 1, x) != id || at(y, x - 1) != id || at(y, x + 1) != id);
  }
};

}  // namespace

void draw_contours(Bytes8& picture, const Mask& reference, const Mask& prediction) {
  if (picture.c != 3 || reference.h != prediction.h || reference.w != prediction.w || reference.values.empty())
    fail("cannot draw contours", "an RGB picture and two masks", "of one size",
         reference.size_text() + " and " + prediction.size_text());
  const Stretched truth{reference, picture.h, picture.w}, guess{prediction, picture.h, picture.w};
  for (std::int64_t y = 0; y < picture.h; ++y)
    for (std::int64_t x = 0; x < picture.w; ++x) {
      const bool true_end = truth.ends(y, x), guessed_end = guess.ends(y, x);
      if (!true_end && !guessed_end) continue;
      const bool agreed = true_end && guessed_end && truth.at(y, x) == guess.at(y, x);
      const auto& color = agreed ? kAgreedColor : guessed_end ? kPredictionColor : kReferenceColor;
      std::copy(color.begin(), color.end(), &picture.bytes[static_cast<std::size_t>((y * picture.w + x) * 3)]);
    }
}

}  // namespace gf
