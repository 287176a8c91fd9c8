#include "data/array_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "data/hdf5.h"
#include "data/image_limits.h"
#include "engine/io/npz.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr const char *kImage = "image", *kLabel = "label", *kGeometry = "nifti_header";

using Shape64 = std::vector<std::int64_t>;

std::string text(const Shape64& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

double elements(const Shape64& shape) {
  double n = 1;
  for (const std::int64_t side : shape) n *= static_cast<double>(side);
  return n;
}

void require_same_shape(const Shape64& image, const Shape64& label, const std::string& path) {
  if (label != image) bad_data("image and label differ in shape", path, text(image), text(label));
}

void make_finite(std::vector<float>& values, NonFinite non_finite, const std::string& where) {
  const auto is_bad = [](float v) { return !std::isfinite(v); };
  if (non_finite == NonFinite::zero) return std::replace_if(values.begin(), values.end(), is_bad, 0.0f);
  const auto bad = std::find_if(values.begin(), values.end(), is_bad);
  if (bad != values.end())
    bad_data("image holds NaN or infinite values", where, "finite values",
             fmt::format("{} at place {}", *bad, bad - values.begin()), "replace them in the file");
}

template <class Number>
std::int32_t label_of(Number v, NonFinite non_finite, const std::string& where) {
  if (non_finite == NonFinite::zero && !std::isfinite(v)) return 0;
  if (v != std::floor(v) || v < 0 || v > 65535)
    bad_data("label holds values that are no labels", where, "whole numbers from 0 to 65535", fmt::format("{}", v));
  return static_cast<std::int32_t>(v);
}

// The header must speak of these voxels, else it belongs to another volume.
std::optional<NiftiHeader> fitting_header(const std::vector<float>& bytes, const Shape64& volume,
                                          const std::string& where) {
  std::array<std::byte, 348> raw;
  if (bytes.size() != raw.size()) bad_data("not a NIfTI-1 header", where, "348 bytes", std::to_string(bytes.size()));
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::byte>(static_cast<std::uint8_t>(bytes[i]));
  NiftiHeader h = header_from_raw(raw, where);
  const bool fits = h.nx == volume[1] && h.ny == volume[2] && (volume[0] < 0 || h.nz == volume[0]);
  if (!fits) bad_data("geometry of another volume", where, text(volume), fmt::format("({}, {}, {})", h.nz, h.nx, h.ny));
  return h;
}

class Slice {
 public:
  explicit Slice(const std::string& path) : file_(path) {}

  bool has(const std::string& name) const {
    return std::ranges::any_of(file_.tensors(), [&](const FileTensor& t) { return t.name == name; });
  }
  // The size is known to be sane before anything is unpacked: packed zeros of any amount fit a small file.
  Extent extent(const char* name) const {
    const Shape64& shape = array(name).shape;
    if (shape.size() != 2) bad_data("slice of another shape", where(name), "height and width", text(shape));
    require_plausible_extent(shape[0], shape[1], where(name));
    if (name == std::string_view(kImage)) require_content(name);
    return {shape[0], shape[1]};
  }
  const Shape64& shape(const char* name) const { return array(name).shape; }
  void require_content(const char* name) const {
    const FileTensor& t = array(name);
    require_image_content(elements(t.shape) * double(file_dtype_bytes(t.dtype)), t.end - t.begin, where(name));
  }
  std::vector<double> numbers(const char* name) const { return file_.numbers(name); }
  std::string where(const char* name) const { return file_.path() + ", " + name; }

 private:
  const FileTensor& array(const char* name) const {
    const std::vector<FileTensor>& arrays = file_.tensors();
    const auto at = std::ranges::find(arrays, name, &FileTensor::name);
    if (at != arrays.end()) return *at;
    std::vector<std::string> names;
    for (const FileTensor& t : arrays) names.push_back(t.name);
    bad_data("slice lacks an array", file_.path(), fmt::format("an array \"{}\"", name),
             names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", ")));
  }

  NpzFile file_;
};

ImageStack read_slices(const std::vector<std::string>& paths, std::int64_t first, std::int64_t last,
                       NonFinite non_finite) {
  ImageStack stack;
  std::optional<NiftiHeader> header;
  for (std::int64_t i = first; i <= last; ++i) {
    const Slice slice(paths.at(static_cast<std::size_t>(i)));
    const Extent e = slice.extent(kImage);
    if (i == first) stack.extent = e;
    if (e != stack.extent)
      bad_data("slices of one case differ in size", slice.where(kImage),
               fmt::format("{}x{}", stack.extent.w, stack.extent.h), fmt::format("{}x{}", e.w, e.h));
    const std::vector<double> values = slice.numbers(kImage);
    std::vector<float> floats(values.begin(), values.end());
    make_finite(floats, non_finite, slice.where(kImage));
    stack.pixels.insert(stack.pixels.end(), floats.begin(), floats.end());
    if (i == first && slice.has(kGeometry)) {
      const std::vector<double> raw = slice.numbers(kGeometry);
      header = fitting_header({raw.begin(), raw.end()}, {-1, e.h, e.w}, slice.where(kGeometry));
    }
  }
  stack.slices = last - first + 1;
  const auto depth = static_cast<std::int64_t>(paths.size());
  stack.header = plain_nifti_header(stack.extent.h, stack.extent.w, depth);
  if (header && header->nz == depth)
    stack.header = *header;
  else if (header)  // one slice of a volume has its voxels' size, but no place
    stack.header.spacing_mm = header->spacing_mm;
  return stack;
}

Shape64 stack_shape(const Hdf5File& file, const char* name) {
  const Shape64 shape = file.shape(name);
  const std::string where = file.path() + ", " + name;
  if (shape.size() != 3) bad_data("stack of another shape", where, "depth, height and width", text(shape));
  require_plausible_extent(shape[1], shape[2], where);
  require_plausible_extent(shape[0], 1, where);
  return shape;
}

Shape64 image_shape(const Hdf5File& file) {
  const Hdf5File::Storage storage = file.storage(kImage);
  require_image_content(storage.unpacked, storage.packed, file.path() + ", " + kImage);
  return stack_shape(file, kImage);
}

ImageStack read_stack(const std::string& path, std::int64_t first, std::int64_t last, NonFinite non_finite) {
  const Hdf5File file(path);
  const Shape64 shape = image_shape(file);
  if (last < 0) last = shape[0] - 1;
  ImageStack stack;
  stack.slices = last - first + 1;
  stack.extent = {shape[1], shape[2]};
  stack.pixels = file.floats(kImage, first, stack.slices);
  make_finite(stack.pixels, non_finite, path + ", " + kImage);
  stack.header = plain_nifti_header(shape[1], shape[2], shape[0]);
  if (file.has(kGeometry)) {
    const Shape64 bytes = file.shape(kGeometry);
    if (bytes.size() != 1 || bytes[0] != 348)
      bad_data("not a NIfTI-1 header", path + ", " + kGeometry, "(348)", text(bytes));
    stack.header = *fitting_header(file.floats(kGeometry, 0, 348), shape, path + ", " + kGeometry);
  }
  return stack;
}

}  // namespace

bool is_slice_name(const std::string& path) { return path.ends_with(".npz"); }
bool is_stack_name(const std::string& path) { return path.ends_with(".h5") || path.ends_with(".hdf5"); }
bool is_array_name(const std::string& path) { return is_slice_name(path) || is_stack_name(path); }

std::string array_stem(const std::string& path) {
  std::filesystem::path stem = std::filesystem::path(path).stem();
  if (stem.extension() == ".npy") stem = stem.stem();
  return stem.string();
}

StackShape read_stack_shape(const std::string& path) {
  const Hdf5File file(path);
  const Shape64 shape = image_shape(file);
  return {shape[0], {shape[1], shape[2]}, file.has(kLabel), file.has(kGeometry)};
}

Extent read_slice_extent(const std::string& path) { return Slice(path).extent(kImage); }

bool holds_geometry(const std::string& path) {
  return is_stack_name(path) ? Hdf5File(path).has(kGeometry) : Slice(path).has(kGeometry);
}

ImageStack read_image_stack(const std::vector<std::string>& paths, std::int64_t first, std::int64_t last,
                            NonFinite non_finite) {
  if (is_stack_name(paths.at(0))) return read_stack(paths[0], first, last, non_finite);
  return read_slices(paths, first, last < 0 ? static_cast<std::int64_t>(paths.size()) - 1 : last, non_finite);
}

std::vector<Mask> read_label_stack(const std::vector<std::string>& paths, std::int64_t first, std::int64_t last,
                                   NonFinite non_finite) {
  std::vector<Mask> masks;
  if (is_stack_name(paths.at(0))) {
    const Hdf5File file(paths[0]);
    const Shape64 shape = stack_shape(file, kLabel), image = stack_shape(file, kImage);
    const std::string where = paths[0] + ", " + kLabel;
    require_same_shape(image, shape, paths[0]);
    // Slice by slice: the values are held as numbers only once.
    for (std::int64_t z = first; z <= last; ++z) {
      const std::vector<float> values = file.floats(kLabel, z, 1);
      Mask mask(shape[1], shape[2]);
      for (std::size_t i = 0; i < values.size(); ++i) mask.values[i] = label_of(values[i], non_finite, where);
      masks.push_back(std::move(mask));
    }
    return masks;
  }
  for (std::int64_t i = first; i <= last; ++i) {
    const Slice slice(paths.at(static_cast<std::size_t>(i)));
    const Extent e = slice.extent(kLabel);
    const std::vector<double> values = slice.numbers(kLabel);
    Mask mask(e.h, e.w);
    const std::string where = slice.where(kLabel);
    for (std::size_t p = 0; p < values.size(); ++p) mask.values[p] = label_of(values[p], non_finite, where);
    masks.push_back(std::move(mask));
  }
  return masks;
}

// A label of no more values than the image takes no memory that the image did not; a larger one may be nothing but a
// few packed bytes.
std::vector<std::int32_t> read_label_values(const std::string& path, NonFinite non_finite) {
  constexpr double kAtOnce = 1 << 24;  // numbers that are held beside the values
  const std::string where = path + ", " + kLabel;
  std::vector<std::int32_t> values;
  const auto take = [&](const auto& numbers) {
    for (const auto v : numbers) values.push_back(label_of(v, non_finite, where));
  };
  if (is_slice_name(path)) {
    const Slice slice(path);
    const Extent image = slice.extent(kImage);
    if (elements(slice.shape(kLabel)) > double(image.h) * double(image.w)) slice.require_content(kLabel);
    take(slice.numbers(kLabel));
    return values;
  }
  const Hdf5File file(path);
  const Shape64 image = image_shape(file), label = file.shape(kLabel);
  if (label.empty()) bad_data("label is a single number", where, text(image), text(label));
  const double all = elements(label);
  if (all > elements(image)) {
    const Hdf5File::Storage storage = file.storage(kLabel);
    require_image_content(storage.unpacked, storage.packed, where);
  }
  if (all == 0) return values;
  values.reserve(static_cast<std::size_t>(all));
  const auto entries = static_cast<std::int64_t>(std::max(1.0, kAtOnce / all * static_cast<double>(label[0])));
  for (std::int64_t first = 0; first < label[0]; first += entries)
    take(file.floats(kLabel, first, std::min(entries, label[0] - first)));
  return values;
}

void require_fitting_label(const std::string& path) {
  if (is_slice_name(path)) {
    const Slice slice(path);
    return require_same_shape(slice.shape(kImage), slice.shape(kLabel), path);
  }
  const Hdf5File file(path);
  require_same_shape(file.shape(kImage), file.shape(kLabel), path);
}

}  // namespace gf
