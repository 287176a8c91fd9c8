// Voxels in and masks out, through the checked stream.
#include <fmt/format.h>
#include <nifti1.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "data/gz_stream.h"
#include "data/image_limits.h"
#include "data/nifti.h"
#include "data/nifti_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr std::size_t chunk_voxels = 1 << 16;

template <class T>
T byte_swapped(T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  std::reverse(bytes, bytes + sizeof(T));
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// Hands every stored voxel to accept(index, value) in file order, then reads the file to its end.
template <class T, class Accept>
void for_each_stored(const NiftiFile& file, Accept&& accept) {
  GzReader stream(file.voxel_path);
  stream.skip(file.voxel_offset, "header and extensions");
  const std::size_t total = static_cast<std::size_t>(file.header.voxels_per_channel() * file.header.channels);
  std::vector<T> chunk(std::min(chunk_voxels, total));
  for (std::size_t first = 0; first < total; first += chunk.size()) {
    const std::size_t n = std::min(chunk.size(), total - first);
    stream.read(chunk.data(), n * sizeof(T), "voxels");
    for (std::size_t i = 0; i < n; ++i) accept(first + i, file.swapped ? byte_swapped(chunk[i]) : chunk[i]);
  }
  stream.finish();
}

template <class Accept>
void for_each_voxel(const NiftiFile& file, Accept&& accept) {
  switch (file.datatype) {
    case DT_UINT8:
      return for_each_stored<std::uint8_t>(file, accept);
    case DT_INT8:
      return for_each_stored<std::int8_t>(file, accept);
    case DT_INT16:
      return for_each_stored<std::int16_t>(file, accept);
    case DT_UINT16:
      return for_each_stored<std::uint16_t>(file, accept);
    case DT_INT32:
      return for_each_stored<std::int32_t>(file, accept);
    case DT_UINT32:
      return for_each_stored<std::uint32_t>(file, accept);
    case DT_INT64:
      return for_each_stored<std::int64_t>(file, accept);
    case DT_UINT64:
      return for_each_stored<std::uint64_t>(file, accept);
    case DT_FLOAT32:
      return for_each_stored<float>(file, accept);
    default:
      return for_each_stored<double>(file, accept);
  }
}

std::string position(const NiftiHeader& h, std::size_t index) {
  const std::int64_t i = static_cast<std::int64_t>(index), in_channel = i % h.voxels_per_channel();
  return fmt::format("voxel ({}, {}, {}) of channel {}", in_channel % h.nx, in_channel / h.nx % h.ny,
                     in_channel / (h.nx * h.ny), i / h.voxels_per_channel());
}

// Counts offending voxels and remembers the first.
struct Offenders {
  std::size_t count = 0, first = 0;
  double value = 0;

  void add(std::size_t index, double v) {
    if (count++ == 0) first = index, value = v;
  }
  void refuse(const NiftiFile& file, const char* what, const char* expected, const char* remedy) const {
    if (count > 0)
      bad_data(what, file.path, expected,
               fmt::format("{} others, the first {} at {}", count, value, position(file.header, first)), remedy);
  }
};

// Compared while it is read: a large volume is in memory once.
template <class T>
bool holds(const NiftiFile& file, std::span<const T> values) {
  if (values.size() != static_cast<std::size_t>(file.header.voxels_per_channel() * file.header.channels)) return false;
  bool equal = true;
  for_each_voxel(file, [&](std::size_t i, auto stored) { equal &= static_cast<T>(stored) == values[i]; });
  return equal;
}

// A copy of the input's header in which only what describes the stored values is changed.
nifti_1_header written_header(const NiftiHeader& like, short datatype, short bits, const char* description) {
  nifti_1_header h{};
  std::memcpy(&h, like.raw.data(), sizeof h);
  h.datatype = datatype;
  h.bitpix = bits;
  h.dim[0] = std::min<short>(h.dim[0], 3);
  for (int i = h.dim[0] + 1; i < 8; ++i) h.dim[i] = 1;
  h.scl_slope = 1;
  h.scl_inter = 0;
  h.cal_min = h.cal_max = 0;
  h.glmin = h.glmax = 0;
  h.intent_code = NIFTI_INTENT_NONE;
  h.intent_p1 = h.intent_p2 = h.intent_p3 = 0;
  std::memset(h.intent_name, 0, sizeof h.intent_name);
  std::memset(h.descrip, 0, sizeof h.descrip);
  std::strncpy(h.descrip, description, sizeof h.descrip - 1);
  std::memcpy(h.magic, "n+1", 4);
  h.vox_offset = 352;
  return h;
}

nifti_1_header mask_header(const NiftiHeader& like, std::int32_t largest) {
  const char* description = "graphflow mask";
  if (largest <= 255) return written_header(like, DT_UINT8, 8, description);
  if (largest <= 65535) return written_header(like, DT_UINT16, 16, description);
  return written_header(like, DT_INT32, 32, description);
}

void begin_file(GzWriter& out, const nifti_1_header& h) {
  const std::array<char, 4> no_extensions{};
  out.write(&h, sizeof h);
  out.write(no_extensions.data(), no_extensions.size());
}

void check_request(const std::string& path, const NiftiHeader& like, std::size_t values) {
  if (!path.ends_with(".nii") && !path.ends_with(".nii.gz"))
    fail("cannot write volume", path, "a name ending in .nii or .nii.gz", "another ending");
  if (static_cast<std::int64_t>(values) != like.voxels_per_channel())
    fail("cannot write volume", path, fmt::format("{} voxels", like.voxels_per_channel()), std::to_string(values));
}

template <class T>
void write_values(GzWriter& out, std::span<const std::int32_t> labels) {
  std::vector<T> chunk;
  for (std::size_t first = 0; first < labels.size(); first += chunk_voxels) {
    const auto part = labels.subspan(first, std::min(chunk_voxels, labels.size() - first));
    chunk.assign(part.begin(), part.end());
    out.write(chunk.data(), chunk.size() * sizeof(T));
  }
}

}  // namespace

Volume read_nifti(const std::string& path, NonFinite non_finite) {
  const NiftiFile file = open_nifti(path);
  require_image_content(double(file.header.voxels_per_channel()) * double(file.header.channels) * file.bytes_per_voxel,
                        GzReader(file.voxel_path).file_bytes(), file.voxel_path);
  Volume volume{file.header, {}};
  volume.voxels.resize(static_cast<std::size_t>(file.header.voxels_per_channel() * file.header.channels));
  const bool scaled = file.slope != 1 || file.inter != 0;
  Offenders bad;
  for_each_voxel(file, [&](std::size_t i, auto stored) {
    float v =
        scaled ? static_cast<float>(static_cast<double>(stored) * file.slope + file.inter) : static_cast<float>(stored);
    if (!std::isfinite(v)) {
      bad.add(i, v);
      v = 0;
    }
    volume.voxels[i] = v;
  });
  if (non_finite == NonFinite::refuse)
    bad.refuse(file, "image holds NaN or infinite voxels", "finite values", "replace them in the file");
  return volume;
}

LabelVolume read_nifti_labels(const std::string& path, NonFinite non_finite) {
  const NiftiFile file = open_nifti(path);
  if (file.header.channels != 1)
    bad_data("label volume has several channels", path, "3 dimensions",
             fmt::format("{} channels", file.header.channels), "merge them into one volume of class ids");
  LabelVolume volume{file.header, {}};
  volume.voxels.resize(static_cast<std::size_t>(file.header.voxels_per_channel()));
  Offenders not_finite, not_integer;
  for_each_voxel(file, [&](std::size_t i, auto stored) {
    double v = static_cast<double>(stored) * file.slope + file.inter;
    if (!std::isfinite(v)) {
      not_finite.add(i, v);
      v = 0;
    } else if (v != std::nearbyint(v) || std::abs(v) > std::numeric_limits<std::int32_t>::max()) {
      not_integer.add(i, v);
      v = 0;
    }
    volume.voxels[i] = static_cast<std::int32_t>(v);
  });
  if (non_finite == NonFinite::refuse)
    not_finite.refuse(file, "label volume holds NaN or infinite voxels", "integers", "replace them in the file");
  not_integer.refuse(file, "label volume holds values that are no labels", "integers of 32 bits",
                     "is this the image, or a label resampled with interpolation?");
  return volume;
}

void write_nifti_mask(const std::string& path, const NiftiHeader& like, std::span<const std::int32_t> labels) {
  check_request(path, like, labels.size());
  const auto [least, most] = std::minmax_element(labels.begin(), labels.end());
  if (*least < 0) fail("cannot write mask", path, "labels of at least 0", std::to_string(*least));

  const nifti_1_header h = mask_header(like, *most);
  GzWriter out(path);
  begin_file(out, h);
  if (h.datatype == DT_UINT8)
    write_values<std::uint8_t>(out, labels);
  else if (h.datatype == DT_UINT16)
    write_values<std::uint16_t>(out, labels);
  else
    write_values<std::int32_t>(out, labels);
  out.finish();

  const NiftiFile back = open_nifti(out.temporary_path());
  if (std::memcmp(back.header.raw.data(), &h, sizeof h) != 0 || !holds(back, labels))
    fail("mask read back differs from what was written", path, {}, {}, "check the disk");
  out.commit();
}

void write_nifti_image(const std::string& path, const NiftiHeader& like, std::span<const float> voxels) {
  check_request(path, like, voxels.size());
  const nifti_1_header h = written_header(like, DT_FLOAT32, 32, "graphflow image");
  GzWriter out(path);
  begin_file(out, h);
  out.write(voxels.data(), voxels.size_bytes());
  out.finish();
  if (!holds(open_nifti(out.temporary_path()), voxels))
    fail("image read back differs from what was written", path, {}, {}, "check the disk");
  out.commit();
}

}  // namespace gf
