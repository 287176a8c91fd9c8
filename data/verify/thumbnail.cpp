#include "data/verify/thumbnail.h"

#include <algorithm>

#include "data/array_files.h"
#include "data/case.h"
#include "data/picture_parts.h"
#include "data/zoom.h"
#include "kernels/error.h"

namespace gf {
namespace {

void make_smaller(Picture& picture, Mask& mask, std::int64_t side) {
  const std::int64_t most = std::max(picture.h, picture.w);
  if (most <= side) return;
  const auto scaled = [&](std::int64_t n) { return std::max<std::int64_t>(1, n * side / most); };
  const std::int64_t h = scaled(picture.h), w = scaled(picture.w);
  picture = zoom(picture, h, w, 1);
  if (!mask.values.empty()) mask = zoom(mask, h, w);
}

}  // namespace

bool thumbnail_of(const Listing& listing, const Case& c, std::int64_t side, Picture& picture, Mask& mask) {
  const int axis = listing.dataset.preprocessing.slice_axis;
  mask = {};
  try {
    if (is_nifti_name(c.images[0])) {
      const Volume v = read_nifti(c.images[0], NonFinite::zero);
      std::int64_t best = slice_count(v.header, axis) / 2, most = 0;
      if (c.last_slice > c.first_slice) best = (c.first_slice + c.last_slice) / 2;
      try {
        const LabelVolume labels = read_nifti_labels(c.label, NonFinite::zero);
        for (std::int64_t i = 0; i < slice_count(labels.header, axis); ++i) {
          if (c.last_slice > 0 && (i < c.first_slice || i > c.last_slice)) continue;
          Mask slice = label_slice(labels, axis, i);
          const std::int64_t n = std::count_if(slice.values.begin(), slice.values.end(), [](auto x) { return x > 0; });
          if (n <= most) continue;
          most = n, best = i;
          mask = std::move(slice);
        }
      } catch (const Error&) {  // the picture alone
      }
      picture = image_slice(v, axis, std::min(best, slice_count(v.header, axis) - 1));
    } else if (is_array_name(c.images[0])) {
      const std::int64_t middle = (c.first_slice + c.last_slice) / 2;
      ImageStack stack = read_image_stack(c.images, middle, middle, NonFinite::zero);
      picture = Picture(stack.extent.h, stack.extent.w, stack.channels);
      picture.pixels = std::move(stack.pixels);
      try {
        if (!c.label.empty()) mask = read_label_stack(c.images, middle, middle, NonFinite::zero).at(0);
      } catch (const Error&) {
      }
    } else if (is_image_name(c.images[0])) {
      picture = read_image(c.images[0]);
      try {
        mask = read_mask(c.label);
        for (const std::string& path : c.more_labels)
          if (const Mask more = read_mask(path); more.h == mask.h && more.w == mask.w) unite(mask, more);
      } catch (const Error&) {
      }
    } else {
      const PreparedCase loaded = load_case(listing.dataset, c, Purpose::training);
      picture = loaded.images.at(loaded.images.size() / 2);
      if (!loaded.labels.empty()) mask = loaded.labels.at(loaded.images.size() / 2);
    }
    if (mask.h != picture.h || mask.w != picture.w) mask = {};
    make_smaller(picture, mask, side);
    return true;
  } catch (const std::exception&) {  // said already by examine_case
    return false;
  }
}

}  // namespace gf
