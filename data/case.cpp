#include "data/case.h"

#include <algorithm>

#include <fmt/format.h>

#include "kernels/error.h"

namespace gf {
namespace {

std::string extent(std::int64_t w, std::int64_t h) { return fmt::format("{}x{} pixels", w, h); }

// One file, or one volume per channel put together.
Volume read_channels(const std::vector<std::string>& paths, int channels) {
  Volume volume = read_nifti(paths.at(0));
  for (std::size_t i = 1; i < paths.size(); ++i) {
    const Volume more = read_nifti(paths[i]);
    require_same_grid(paths[0], volume.header, paths[i], more.header);
    volume.voxels.insert(volume.voxels.end(), more.voxels.begin(), more.voxels.end());
    volume.header.channels += more.header.channels;
  }
  if (volume.header.channels != channels)
    bad_data("volume has another number of channels", paths[0], std::to_string(channels),
             std::to_string(volume.header.channels), "set data.channels to what the volumes hold");
  return volume;
}

void add_labels(PreparedCase& out, Mask mask, const Preprocessing& p, Purpose purpose) {
  out.labels.push_back(fit(mask, p));
  if (purpose == Purpose::evaluation) out.truth.push_back(std::move(mask));
}

// Slices first..last; last < 0 means to the end.
void load_slices(PreparedCase& out, const Preprocessing& p, std::int64_t first, std::int64_t last) {
  Volume volume = read_channels(out.image_paths, p.channels);
  const std::int64_t n = volume.header.voxels_per_channel();
  for (std::int64_t c = 0; c < volume.header.channels; ++c)
    normalise(std::span<float>(volume.voxels).subspan(c * n, n), 1, p, out.image_paths[0]);
  if (last < 0) last = slice_count(volume.header, p.slice_axis) - 1;
  out.volume = true;
  out.first_slice = first;
  out.full = slice_extent(volume.header, p.slice_axis);
  out.spacing_mm = slice_spacing(volume.header, p.slice_axis);
  for (std::int64_t i = first; i <= last; ++i) out.images.push_back(fit(image_slice(volume, p.slice_axis, i), p));
  out.header = std::move(volume.header);
}

void load_picture(PreparedCase& out, const Preprocessing& p) {
  const std::string& path = out.image_paths.at(0);
  Picture picture = to_channels(read_image(path), p.channels, path);
  PreparedCase prepared = prepare_slices(std::move(picture.pixels), 1, {picture.h, picture.w}, p, path);
  out.full = prepared.full;
  out.images = std::move(prepared.images);
}

void load_volume_labels(PreparedCase& out, const Dataset& d, const Case& c, Purpose purpose) {
  LabelVolume labels = read_nifti_labels(c.label);
  require_same_grid(c.images[0], out.header, c.label, labels.header);
  d.preprocessing.label_map.apply(labels.voxels, d.classes(), c.label);
  for (std::int64_t i = c.first_slice; i <= c.last_slice; ++i)
    add_labels(out, label_slice(labels, d.preprocessing.slice_axis, i), d.preprocessing, purpose);
}

void load_picture_labels(PreparedCase& out, const Dataset& d, const Case& c, Purpose purpose) {
  Mask mask = read_png_mask(c.label);
  if (Extent{mask.h, mask.w} != out.full)
    bad_data("image and mask differ in size", c.images[0] + " and " + c.label, extent(out.full.w, out.full.h),
             extent(mask.w, mask.h), "export the mask at the image's size");
  d.preprocessing.label_map.apply(mask.values, d.classes(), c.label);
  add_labels(out, std::move(mask), d.preprocessing, purpose);
}

}  // namespace

std::int64_t PreparedCase::bytes() const {
  std::size_t n = 0;
  for (const Picture& p : images) n += p.pixels.size() * sizeof(float);
  for (const Mask& m : labels) n += m.values.size() * sizeof(std::int32_t);
  for (const Mask& m : truth) n += m.values.size() * sizeof(std::int32_t);
  return static_cast<std::int64_t>(n);
}

PreparedCase load_case(const Dataset& dataset, const Case& c, Purpose purpose) {
  PreparedCase out;
  out.id = c.id;
  out.image_paths = c.images;
  if (dataset.volumes)
    load_slices(out, dataset.preprocessing, c.first_slice, c.last_slice);
  else
    load_picture(out, dataset.preprocessing);
  if (c.label.empty()) return out;
  if (dataset.volumes)
    load_volume_labels(out, dataset, c, purpose);
  else
    load_picture_labels(out, dataset, c, purpose);
  return out;
}

PreparedCase load_input(const std::vector<std::string>& image_paths, const Preprocessing& preprocessing) {
  if (image_paths.empty()) fail("no input image", "load_input");
  check(preprocessing);
  PreparedCase out;
  out.image_paths = image_paths;
  out.id = nifti_stem(image_paths[0]);
  if (is_nifti_name(image_paths[0]))
    load_slices(out, preprocessing, 0, -1);
  else
    load_picture(out, preprocessing);
  return out;
}

PreparedCase prepare_slices(std::vector<float> pixels, std::int64_t slices, Extent size, const Preprocessing& p,
                            const std::string& name) {
  const std::int64_t each = size.h * size.w * p.channels;
  if (slices < 1 || size.h < 1 || size.w < 1 || static_cast<std::int64_t>(pixels.size()) != slices * each)
    bad_data("slices of another size", fmt::format("{}, {} slices of {}", name, slices, extent(size.w, size.h)),
             fmt::format("{} values each, of {} channels", each, p.channels), fmt::format("{} in all", pixels.size()));
  normalise(pixels, p.channels, p, name);
  PreparedCase out;
  out.volume = slices > 1;
  out.full = size;
  for (std::int64_t i = 0; i < slices; ++i) {
    Picture picture(size.h, size.w, p.channels);
    std::copy_n(pixels.begin() + i * each, each, picture.pixels.begin());
    out.images.push_back(fit(picture, p));
  }
  return out;
}

Picture network_input(const PreparedCase& c, std::size_t i, const Preprocessing& preprocessing) {
  const Picture& picture = c.images.at(i);
  return pad(picture, padded_extent({picture.h, picture.w}, preprocessing));
}

void write_prediction(const std::string& path, const PreparedCase& c, const std::vector<Mask>& masks,
                      const Preprocessing& preprocessing, const Palette& palette) {
  if (masks.size() != c.images.size())
    fail("cannot write prediction", path, fmt::format("{} class maps", c.images.size()), std::to_string(masks.size()));
  if (!c.volume) return write_png_mask(path, masks[0], palette);
  LabelVolume volume{c.header, std::vector<std::int32_t>(static_cast<std::size_t>(c.header.voxels_per_channel()))};
  for (std::size_t i = 0; i < masks.size(); ++i)
    place_slice(volume, preprocessing.slice_axis, c.first_slice + static_cast<std::int64_t>(i), masks[i]);
  write_nifti_mask(path, c.header, volume.voxels);
}

}  // namespace gf
