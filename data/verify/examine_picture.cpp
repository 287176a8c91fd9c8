#include <fmt/format.h>

#include "data/image.h"
#include "data/picture_parts.h"
#include "data/verify/examination.h"

namespace gf {
namespace {

void differ(Examination& x, const std::string& other, const char* what, Extent expected, Extent found) {
  x.error(Check::size_mismatch,
          fmt::format("{} and {}: {} differ in size: expected {}x{} pixels, found {}x{}", x.examined().images[0], other,
                      what, expected.w, expected.h, found.w, found.h));
}

bool read_part(Examination& x, const std::string& path, Picture& part) {
  try {
    part = read_image(path);
    return true;
  } catch (const Error& e) {  // only TIFF can hold NaN
    const bool nan = e.parts().what.find("NaN") != std::string::npos;
    x.error(nan ? Check::not_finite : Check::unreadable, e.what());
    return false;
  }
}

// Its size, as far as it is known.
std::optional<Extent> image_extent(Examination& x) {
  const std::vector<std::string>& paths = x.examined().images;
  std::vector<Picture> parts;
  for (const std::string& path : paths) {
    Picture part;
    if (!read_part(x, path, part)) continue;
    if (!parts.empty() && (part.h != parts[0].h || part.w != parts[0].w))
      differ(x, path, "channels", {parts[0].h, parts[0].w}, {part.h, part.w});
    else
      parts.push_back(std::move(part));
  }
  if (parts.empty()) return {};
  const Extent e{parts[0].h, parts[0].w};
  if (parts.size() < paths.size()) return e;
  const Picture picture = join_channels(parts);
  x.facts().size = {1, e.h, e.w};
  x.facts().channels = picture.c;
  x.finish_image(picture.pixels);
  const Preprocessing& p = x.preprocessing();
  x.survives(Check::channels, [&] {
    Picture turned = to_channels(picture, p.channels, paths[0]);
    if (p.normalisation == Normalisation::bytes || p.normalisation == Normalisation::imagenet)
      normalise(turned.pixels, turned.c, p, paths[0]);
  });
  return e;
}

}  // namespace

void examine_picture(Examination& x) {
  const std::optional<Extent> size = image_extent(x);
  const Case& c = x.examined();
  if (c.label.empty()) return;
  std::vector<std::string> paths = c.more_labels;
  paths.insert(paths.begin(), c.label);
  Mask stored, ids;  // of all masks, as training unites them
  for (const std::string& path : paths) {
    Mask mask;
    if (!x.survives(Check::unreadable, [&] { mask = read_mask(path); })) continue;
    const Extent found{mask.h, mask.w};
    if (size && found != *size) differ(x, path, "image and mask", *size, found);
    const bool fits = stored.values.empty() || found == Extent{stored.h, stored.w};
    if (fits) unite(stored, mask);
    if (!x.to_classes(mask.values, path) || !fits) continue;
    if (ids.values.empty()) ids = Mask(mask.h, mask.w);
    unite(ids, mask);
  }
  x.count_labels(stored.values);
  x.count_classes(ids.values);
  x.note_empty(c.label);
}

}  // namespace gf
