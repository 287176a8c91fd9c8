#include "data/case.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "data/array_files.h"
#include "data/picture_parts.h"
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
void load_volume(PreparedCase& out, const Preprocessing& p, std::int64_t first, std::int64_t last) {
  Volume volume = read_channels(out.image_paths, p.channels);
  out.stored = intensity_of(volume.voxels);
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

// Slices of a stack (.h5), or slices that are files of their own (.npz): images and labels in one file.
void load_arrays(PreparedCase& out, const Preprocessing& p, std::int64_t first, std::int64_t last) {
  if (p.slice_axis != 2)
    throw Error(ErrorKind::usage, {"stacks of slices have one axis", out.image_paths.at(0), "data.slice_axis 2",
                                   std::to_string(p.slice_axis), ""});
  ImageStack stack = read_image_stack(out.image_paths, first, last);
  if (stack.channels != p.channels)
    bad_data("slices have another number of channels", out.image_paths[0], std::to_string(p.channels),
             std::to_string(stack.channels), "set data.channels to what the files hold");
  out.stored = intensity_of(stack.pixels);
  normalise(stack.pixels, stack.channels, p, out.image_paths[0]);
  out.volume = true;
  out.first_slice = first;
  out.full = stack.extent;
  out.spacing_mm = slice_spacing(stack.header, p.slice_axis);
  const std::int64_t n = stack.extent.h * stack.extent.w * stack.channels;
  for (std::int64_t i = 0; i < stack.slices; ++i) {
    Picture picture(stack.extent.h, stack.extent.w, stack.channels);
    std::copy_n(stack.pixels.begin() + i * n, n, picture.pixels.begin());
    out.images.push_back(fit(picture, p));
  }
  out.header = std::move(stack.header);
}

// The files of a picture: one, or one a channel.
Picture read_picture(const std::vector<std::string>& paths, int channels) {
  if (paths.size() == 1) return to_channels(read_image(paths[0]), channels, paths[0]);
  std::vector<Picture> parts;
  for (const std::string& path : paths) {
    parts.push_back(read_image(path));
    if (parts.back().h != parts[0].h || parts.back().w != parts[0].w)
      bad_data("channels differ in size", paths[0] + " and " + path, extent(parts[0].w, parts[0].h),
               extent(parts.back().w, parts.back().h), "export them at one size");
  }
  return to_channels(join_channels(parts), channels, paths[0]);
}

void load_tiles(PreparedCase& out, const Preprocessing& p, const TileGrid& grid, const Picture& whole) {
  const std::string& path = out.image_paths[0];
  if (whole.c != 1 && whole.c != 3)
    bad_data("image has another number of channels", path, "1 or 3", std::to_string(whole.c));
  if (p.channels != 1 && p.channels != 3)
    throw Error(ErrorKind::usage,
                {"tiles have 1 or 3 channels", "data.channels", "1 or 3", std::to_string(p.channels), ""});
  for (const float v : whole.pixels)
    if (v > 255 || v < 0 || v != std::floor(v))
      bad_data("tiles are made of 8-bit pictures", path, "whole numbers from 0 to 255", fmt::format("{}", v),
               "convert it to 8 bits");
  out.tiles = grid;
  out.stored = intensity_of(whole.pixels);
  out.full = {kTileSide, kTileSide};
  for (std::int64_t i = 0; i < grid.count(); ++i) out.images.push_back(fit(cut_tile(whole, grid, i, p.channels), p));
}

void load_picture(PreparedCase& out, const Preprocessing& p) {
  Picture picture = read_picture(out.image_paths, p.channels);
  PreparedCase prepared =
      prepare_slices(std::move(picture.pixels), 1, {picture.h, picture.w}, p, out.image_paths.at(0));
  out.stored = prepared.stored;
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

void load_array_labels(PreparedCase& out, const Dataset& d, const Case& c, Purpose purpose) {
  auto slice = static_cast<std::size_t>(c.first_slice);
  for (Mask& mask : read_label_stack(c.images, c.first_slice, c.last_slice)) {
    const std::string& file = slices_are_files(c) ? c.images.at(slice++) : c.images[0];
    if (Extent{mask.h, mask.w} != out.full)
      bad_data("image and label differ in size", file, extent(out.full.w, out.full.h), extent(mask.w, mask.h));
    d.preprocessing.label_map.apply(mask.values, d.classes(), file);
    add_labels(out, std::move(mask), d.preprocessing, purpose);
  }
}

// Class ids of a picture of this size; where there are several masks, a pixel has the greatest class of any.
Mask picture_labels(const Dataset& d, const Case& c, Extent size) {
  Mask all;
  std::vector<std::string> paths = c.more_labels;
  paths.insert(paths.begin(), c.label);
  for (const std::string& path : paths) {
    Mask mask = read_mask(path);
    if (Extent{mask.h, mask.w} != size)
      bad_data("image and mask differ in size", c.images[0] + " and " + path, extent(size.w, size.h),
               extent(mask.w, mask.h), "export the mask at the image's size");
    d.preprocessing.label_map.apply(mask.values, d.classes(), path);
    unite(all, mask);
  }
  return all;
}

void load_tiled_case(PreparedCase& out, const Dataset& d, const Case& c, Purpose purpose) {
  const Picture whole = read_image(c.images.at(0));
  const TileGrid grid = tiles_of(c, {whole.h, whole.w});
  load_tiles(out, d.preprocessing, grid, whole);
  if (c.label.empty()) return;
  Mask mask = picture_labels(d, c, grid.whole);
  for (std::int64_t i = 0; i < grid.count(); ++i) add_labels(out, cut_tile(mask, grid, i), d.preprocessing, purpose);
  if (purpose == Purpose::evaluation) out.whole_truth = std::move(mask);
}

}  // namespace

StoredIntensity intensity_of(std::span<const float> values) {
  double sum = 0, squares = 0;
  for (const float v : values) sum += v;
  const double mean = values.empty() ? 0 : sum / static_cast<double>(values.size());
  for (const float v : values) squares += (v - mean) * (v - mean);
  return {mean, values.empty() ? 0 : std::sqrt(squares / static_cast<double>(values.size()))};
}

std::int64_t PreparedCase::bytes() const {
  std::size_t n = 0;
  for (const Picture& p : images) n += p.pixels.size() * sizeof(float);
  for (const Mask& m : labels) n += m.values.size() * sizeof(std::int32_t);
  for (const Mask& m : truth) n += m.values.size() * sizeof(std::int32_t);
  n += whole_truth.values.size() * sizeof(std::int32_t);
  return static_cast<std::int64_t>(n);
}

bool slices_are_files(const Case& c) { return is_slice_name(c.images[0]); }

Case one_slice(const Case& c, std::int64_t slice) {
  Case one = c;
  one.images = {c.images.at(static_cast<std::size_t>(slice))};
  one.first_slice = one.last_slice = 0;
  return one;
}

TileGrid tiles_of(const Case& c, Extent picture) {
  return c.split == Split::test ? test_tiles(picture) : training_tiles(picture);
}

PreparedCase load_case(const Dataset& d, const Case& c, Purpose purpose) {
  PreparedCase out;
  out.id = c.id;
  out.image_paths = c.images;
  if (is_array_name(c.images[0])) {
    load_arrays(out, d.preprocessing, c.first_slice, c.last_slice);
    if (!c.label.empty()) load_array_labels(out, d, c, purpose);
  } else if (d.volumes) {
    load_volume(out, d.preprocessing, c.first_slice, c.last_slice);
    if (!c.label.empty()) load_volume_labels(out, d, c, purpose);
  } else if (d.preprocessing.tiling != Tiling::none) {
    load_tiled_case(out, d, c, purpose);
  } else {
    load_picture(out, d.preprocessing);
    if (!c.label.empty()) add_labels(out, picture_labels(d, c, out.full), d.preprocessing, purpose);
  }
  return out;
}

bool is_input_name(const std::string& path) {
  return is_nifti_name(path) || is_image_name(path) || is_array_name(path);
}

std::string input_stem(const std::string& path) { return is_array_name(path) ? array_stem(path) : nifti_stem(path); }

PreparedCase load_input(const std::vector<std::string>& image_paths, const Preprocessing& preprocessing) {
  if (image_paths.empty()) fail("no input image", "load_input");
  check(preprocessing);
  PreparedCase out;
  out.image_paths = image_paths;
  out.id = input_stem(image_paths[0]);
  if (is_nifti_name(image_paths[0])) {
    load_volume(out, preprocessing, 0, -1);
  } else if (is_array_name(image_paths[0])) {
    load_arrays(out, preprocessing, 0, -1);
  } else if (preprocessing.tiling != Tiling::none) {
    const Picture whole = read_image(image_paths[0]);
    load_tiles(out, preprocessing, test_tiles({whole.h, whole.w}), whole);
  } else {
    load_picture(out, preprocessing);
  }
  return out;
}

PreparedCase prepare_slices(std::vector<float> pixels, std::int64_t slices, Extent size, const Preprocessing& p,
                            const std::string& name) {
  const std::int64_t each = size.h * size.w * p.channels;
  if (slices < 1 || size.h < 1 || size.w < 1 || static_cast<std::int64_t>(pixels.size()) != slices * each)
    bad_data("slices of another size", fmt::format("{}, {} slices of {}", name, slices, extent(size.w, size.h)),
             fmt::format("{} values each, of {} channels", each, p.channels), fmt::format("{} in all", pixels.size()));
  PreparedCase out;
  out.stored = intensity_of(pixels);
  normalise(pixels, p.channels, p, name);
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

void write_prediction(const std::string& path, const PreparedCase& c, std::vector<Mask> masks,
                      const Preprocessing& preprocessing, const Palette& palette) {
  if (masks.size() != c.images.size())
    fail("cannot write prediction", path, fmt::format("{} class maps", c.images.size()), std::to_string(masks.size()));
  if (!c.volume) return write_png_mask(path, c.tiles ? merge_tiles(masks, *c.tiles) : masks[0], palette);
  LabelVolume volume{c.header, std::vector<std::int32_t>(static_cast<std::size_t>(c.header.voxels_per_channel()))};
  for (std::size_t i = 0; i < masks.size(); ++i) {
    place_slice(volume, preprocessing.slice_axis, c.first_slice + static_cast<std::int64_t>(i), masks[i]);
    masks[i] = Mask();  // a large volume is in memory once
  }
  write_nifti_mask(path, c.header, volume.voxels);
}

}  // namespace gf
