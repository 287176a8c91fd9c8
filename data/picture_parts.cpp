#include "data/picture_parts.h"

#include <algorithm>

namespace gf {

Picture join_channels(const std::vector<Picture>& parts) {
  if (parts.size() == 1) return parts[0];
  std::int64_t c = 0;
  for (const Picture& part : parts) c += part.c;
  Picture all(parts.at(0).h, parts[0].w, c);
  for (std::int64_t pixel = 0, to = 0; pixel < all.h * all.w; ++pixel)
    for (const Picture& part : parts)
      for (std::int64_t k = 0; k < part.c; ++k) all.pixels[to++] = part.pixels[pixel * part.c + k];
  return all;
}

void unite(Mask& all, const Mask& more) {
  if (all.values.empty()) {
    all = more;
    return;
  }
  for (std::size_t i = 0; i < all.values.size(); ++i) all.values[i] = std::max(all.values[i], more.values[i]);
}

}  // namespace gf
