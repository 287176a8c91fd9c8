#include "data/preprocess.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/error.h"

namespace gf {
namespace {

// Offsets of slices inside one channel: pixel (y, x) of slice i lies at i * slice + y * row + x * column.
struct SliceStrides {
  std::int64_t slice, row, column;
};

SliceStrides strides(const NiftiHeader& h, int axis) {
  const std::int64_t of_axis[3] = {1, h.nx, h.nx * h.ny};
  return {of_axis[axis], of_axis[axis == 0 ? 1 : 0], of_axis[axis == 2 ? 1 : 2]};
}

void check_slice(const NiftiHeader& h, int axis, std::int64_t index) {
  if (axis < 0 || axis > 2) fail("bad slice axis", "volume", "0 (x), 1 (y) or 2 (z)", std::to_string(axis));
  if (index < 0 || index >= slice_count(h, axis))
    fail("slice out of range", "volume", fmt::format("0 to {}", slice_count(h, axis) - 1), std::to_string(index));
}

Extent offset(Extent inner, Extent outer) { return {(outer.h - inner.h) / 2, (outer.w - inner.w) / 2}; }

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

std::int64_t slice_count(const NiftiHeader& h, int axis) { return axis == 0 ? h.nx : axis == 1 ? h.ny : h.nz; }

Extent slice_extent(const NiftiHeader& h, int axis) { return {axis == 0 ? h.ny : h.nx, axis == 2 ? h.ny : h.nz}; }

std::array<double, 3> slice_spacing(const NiftiHeader& h, int axis) {
  return {h.spacing_mm[axis], h.spacing_mm[axis == 0 ? 1 : 0], h.spacing_mm[axis == 2 ? 1 : 2]};
}

Picture image_slice(const Volume& volume, int axis, std::int64_t index) {
  const NiftiHeader& h = volume.header;
  check_slice(h, axis, index);
  const SliceStrides s = strides(h, axis);
  const Extent e = slice_extent(h, axis);
  Picture out(e.h, e.w, h.channels);
  for (std::int64_t c = 0; c < out.c; ++c)
    for (std::int64_t y = 0; y < out.h; ++y)
      for (std::int64_t x = 0; x < out.w; ++x)
        out.at(y, x, c) = volume.voxels[c * h.voxels_per_channel() + index * s.slice + y * s.row + x * s.column];
  return out;
}

Mask label_slice(const LabelVolume& volume, int axis, std::int64_t index) {
  check_slice(volume.header, axis, index);
  const SliceStrides s = strides(volume.header, axis);
  const Extent e = slice_extent(volume.header, axis);
  Mask out(e.h, e.w);
  for (std::int64_t y = 0; y < out.h; ++y)
    for (std::int64_t x = 0; x < out.w; ++x) out.at(y, x) = volume.voxels[index * s.slice + y * s.row + x * s.column];
  return out;
}

void place_slice(LabelVolume& volume, int axis, std::int64_t index, const Mask& mask) {
  check_slice(volume.header, axis, index);
  const Extent e = slice_extent(volume.header, axis);
  if (mask.h != e.h || mask.w != e.w)
    fail("slice has another size", "volume", fmt::format("{}x{}", e.h, e.w), fmt::format("{}x{}", mask.h, mask.w));
  const SliceStrides s = strides(volume.header, axis);
  for (std::int64_t y = 0; y < mask.h; ++y)
    for (std::int64_t x = 0; x < mask.w; ++x) volume.voxels[index * s.slice + y * s.row + x * s.column] = mask.at(y, x);
}

Picture shrink(const Picture& picture, int factor) {
  if (factor == 1) return picture;
  Picture out((picture.h + factor - 1) / factor, (picture.w + factor - 1) / factor, picture.c);
  for (std::int64_t y = 0; y < out.h; ++y)
    for (std::int64_t x = 0; x < out.w; ++x) {
      const std::int64_t y1 = std::min(picture.h, (y + 1) * factor), x1 = std::min(picture.w, (x + 1) * factor);
      for (std::int64_t c = 0; c < out.c; ++c) {
        float sum = 0;
        for (std::int64_t v = y * factor; v < y1; ++v)
          for (std::int64_t u = x * factor; u < x1; ++u) sum += picture.at(v, u, c);
        out.at(y, x, c) = sum / static_cast<float>((y1 - y * factor) * (x1 - x * factor));
      }
    }
  return out;
}

Mask shrink(const Mask& mask, int factor) {
  if (factor == 1) return mask;
  Mask out((mask.h + factor - 1) / factor, (mask.w + factor - 1) / factor);
  const std::int64_t centre = (factor - 1) / 2;
  for (std::int64_t y = 0; y < out.h; ++y)
    for (std::int64_t x = 0; x < out.w; ++x)
      out.at(y, x) = mask.at(std::min(y * factor + centre, mask.h - 1), std::min(x * factor + centre, mask.w - 1));
  return out;
}

Mask unshrink(const Mask& mask, int factor, Extent full) {
  Mask out(full.h, full.w);
  for (std::int64_t y = 0; y < full.h; ++y)
    for (std::int64_t x = 0; x < full.w; ++x) out.at(y, x) = mask.at(y / factor, x / factor);
  return out;
}

Picture fit(const Picture& picture, const Preprocessing& p) {
  if (!p.resizes()) return shrink(picture, p.shrink);
  return zoom(picture, p.resize_height, p.resize_width, p.resize_order, p.zoom_border);
}

Mask fit(const Mask& mask, const Preprocessing& p) {
  return p.resizes() ? zoom(mask, p.resize_height, p.resize_width, p.zoom_border) : shrink(mask, p.shrink);
}

Picture unfit(const Picture& picture, Extent full, const Preprocessing& p) {
  if (p.resizes()) return zoom(picture, full.h, full.w, 1);
  Picture out(full.h, full.w, picture.c);
  for (std::int64_t y = 0; y < full.h; ++y)
    for (std::int64_t x = 0; x < full.w; ++x)
      for (std::int64_t c = 0; c < picture.c; ++c) out.at(y, x, c) = picture.at(y / p.shrink, x / p.shrink, c);
  return out;
}

Extent padded_extent(Extent e, const Preprocessing& p) {
  return {round_up(std::max<std::int64_t>(e.h, p.min_height), p.stride),
          round_up(std::max<std::int64_t>(e.w, p.min_width), p.stride)};
}

Picture pad(const Picture& picture, Extent to) {
  if (Extent{picture.h, picture.w} == to) return picture;
  const Extent o = offset({picture.h, picture.w}, to);
  Picture out(to.h, to.w, picture.c);
  for (std::int64_t c = 0; c < picture.c; ++c) {
    float least = picture.pixels[c];
    for (std::size_t i = c; i < picture.pixels.size(); i += picture.c) least = std::min(least, picture.pixels[i]);
    for (std::size_t i = c; i < out.pixels.size(); i += out.c) out.pixels[i] = least;
  }
  for (std::int64_t y = 0; y < picture.h; ++y)
    std::copy_n(&picture.pixels[y * picture.w * picture.c], picture.w * picture.c, &out.at(y + o.h, o.w));
  return out;
}

Mask pad(const Mask& mask, Extent to, std::int32_t fill) {
  const Extent o = offset({mask.h, mask.w}, to);
  Mask out(to.h, to.w, fill);
  for (std::int64_t y = 0; y < mask.h; ++y) std::copy_n(&mask.values[y * mask.w], mask.w, &out.at(y + o.h, o.w));
  return out;
}

Picture crop(const Picture& picture, Extent to) {
  const Extent o = offset(to, {picture.h, picture.w});
  Picture out(to.h, to.w, picture.c);
  for (std::int64_t y = 0; y < to.h; ++y)
    std::copy_n(&picture.pixels[((y + o.h) * picture.w + o.w) * picture.c], to.w * picture.c,
                &out.pixels[y * to.w * picture.c]);
  return out;
}

Mask crop(const Mask& mask, Extent to) {
  const Extent o = offset(to, {mask.h, mask.w});
  Mask out(to.h, to.w);
  for (std::int64_t y = 0; y < to.h; ++y)
    std::copy_n(&mask.values[(y + o.h) * mask.w + o.w], to.w, &out.values[y * to.w]);
  return out;
}

Extent shrunk_extent(Extent full, const Preprocessing& p) {
  if (p.resizes()) return {p.resize_height, p.resize_width};
  return {(full.h + p.shrink - 1) / p.shrink, (full.w + p.shrink - 1) / p.shrink};
}

Mask restore(const Mask& network_output, Extent full, const Preprocessing& p) {
  const Extent given{network_output.h, network_output.w}, wanted = padded_extent(shrunk_extent(full, p), p);
  if (given != wanted)
    fail("cannot restore class map", fmt::format("picture of {}x{}", full.h, full.w),
         fmt::format("{}x{}", wanted.h, wanted.w), fmt::format("{}x{}", given.h, given.w));
  const Mask fitted = crop(network_output, shrunk_extent(full, p));
  return p.resizes() ? zoom(fitted, full.h, full.w, p.zoom_border) : unshrink(fitted, p.shrink, full);
}

}  // namespace gf
