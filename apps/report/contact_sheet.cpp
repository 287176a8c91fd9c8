#include "apps/report/contact_sheet.h"

#include <algorithm>
#include <cmath>

#include "kernels/error.h"

namespace gf {

constexpr std::uint8_t kPaper = 48;  // dark, so that neither black nor white pictures melt into it

Bytes8 contact_sheet(const std::vector<Bytes8>& pictures, int columns, int gap) {
  if (pictures.empty() || columns < 1) fail("no contact sheet", "pictures and columns", "at least one of each");
  std::int64_t h = 0, w = 0;
  for (const Bytes8& p : pictures) h = std::max(h, p.h), w = std::max(w, p.w);
  const auto count = static_cast<std::int64_t>(pictures.size()), across = std::min<std::int64_t>(columns, count),
             down = (count + across - 1) / across;
  Bytes8 sheet{gap + down * (h + gap), gap + across * (w + gap), 3, {}};
  sheet.bytes.assign(static_cast<std::size_t>(sheet.h * sheet.w * 3), kPaper);
  for (std::int64_t i = 0; i < count; ++i) {
    const Bytes8& p = pictures[static_cast<std::size_t>(i)];
    const std::int64_t top = gap + i / across * (h + gap) + (h - p.h) / 2,
                       left = gap + i % across * (w + gap) + (w - p.w) / 2;
    for (std::int64_t y = 0; y < p.h; ++y)
      std::copy_n(&p.bytes[static_cast<std::size_t>(y * p.w * 3)], p.w * 3,
                  &sheet.bytes[static_cast<std::size_t>(((top + y) * sheet.w + left) * 3)]);
  }
  return sheet;
}

int sheet_columns(std::size_t pictures, std::int64_t h, std::int64_t w) {
  const double columns =
      std::ceil(std::sqrt(double(pictures) * double(h) / double(std::max<std::int64_t>(w, 1)) - 1e-9));
  return std::clamp(static_cast<int>(columns), 1, static_cast<int>(std::max<std::size_t>(pictures, 1)));
}

}  // namespace gf
