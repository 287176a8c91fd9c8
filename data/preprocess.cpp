#include "data/preprocess.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

// numpy.percentile with linear interpolation; reorders `values`.
float percentile(std::vector<float>& values, double percent) {
  const double position = percent / 100 * static_cast<double>(values.size() - 1);
  const std::size_t below = static_cast<std::size_t>(position);
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const float low = values[below];
  if (below + 1 == values.size()) return low;
  const float high = *std::min_element(values.begin() + below + 1, values.end());
  return static_cast<float>(low + (position - static_cast<double>(below)) * (double(high) - low));
}

}  // namespace

void normalise(std::span<float> values, std::int64_t channels, Normalisation how) {
  if (how == Normalisation::none || values.empty()) return;
  std::vector<float> channel(values.size() / channels);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < channel.size(); ++i) channel[i] = values[i * channels + c];
    double low = 0, range = 0;
    float clip_low = -INFINITY, clip_high = INFINITY;
    if (how == Normalisation::zscore) {
      for (const float v : channel) low += v;
      low /= static_cast<double>(channel.size());
      for (const float v : channel) range += (v - low) * (v - low);
      range = std::sqrt(range / static_cast<double>(channel.size()));
    } else {
      if (how == Normalisation::minmax) {
        const auto [least, most] = std::minmax_element(channel.begin(), channel.end());
        clip_low = *least, clip_high = *most;
      } else {
        clip_low = percentile(channel, 0.5), clip_high = percentile(channel, 99.5);
      }
      low = clip_low;
      range = double(clip_high) - clip_low;
    }
    const double scale = range > 0 ? 1 / range : 0;
    for (std::size_t i = c; i < values.size(); i += channels)
      values[i] = static_cast<float>((std::clamp(values[i], clip_low, clip_high) - low) * scale);
  }
}

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

Mask crop(const Mask& mask, Extent to) {
  const Extent o = offset(to, {mask.h, mask.w});
  Mask out(to.h, to.w);
  for (std::int64_t y = 0; y < to.h; ++y)
    std::copy_n(&mask.values[(y + o.h) * mask.w + o.w], to.w, &out.values[y * to.w]);
  return out;
}

Extent shrunk_extent(Extent full, const Preprocessing& p) {
  return {(full.h + p.shrink - 1) / p.shrink, (full.w + p.shrink - 1) / p.shrink};
}

Mask restore(const Mask& network_output, Extent full, const Preprocessing& p) {
  const Extent given{network_output.h, network_output.w}, wanted = padded_extent(shrunk_extent(full, p), p);
  if (given != wanted)
    fail("cannot restore class map", fmt::format("picture of {}x{}", full.h, full.w),
         fmt::format("{}x{}", wanted.h, wanted.w), fmt::format("{}x{}", given.h, given.w));
  return unshrink(crop(network_output, shrunk_extent(full, p)), p.shrink, full);
}

}  // namespace gf
