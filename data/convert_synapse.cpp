#include "data/convert_synapse.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "data/array_files.h"
#include "data/hdf5.h"
#include "data/nifti.h"
#include "engine/io/atomic_file.h"
#include "engine/io/npz_writer.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace gf {
namespace {

constexpr float kLeastHu = -125, kMostHu = 275;

std::string slice_name(const Case& c, std::int64_t slice) { return fmt::format("{}_slice{:03}", c.id, slice); }
std::string slice_file(const Case& c, const std::string& root, std::int64_t slice) {
  return (fs::path(root) / "train_npz" / (slice_name(c, slice) + ".npz")).string();
}
std::string without_case(const std::string& id) { return id.starts_with("case") ? id.substr(4) : id; }

// NIfTI's order, x fastest, to [z][x][y] and back: both swap the first two axes of every slice.
template <class From, class Use>
void for_each_swapped(const NiftiHeader& h, const std::vector<From>& voxels, const Use& use) {
  for (std::int64_t z = 0, to = 0; z < h.nz; ++z)
    for (std::int64_t x = 0; x < h.nx; ++x)
      for (std::int64_t y = 0; y < h.ny; ++y, ++to)
        use(to, voxels[static_cast<std::size_t>(x + h.nx * (y + h.ny * z))]);
}

std::span<const std::byte> bytes_of(const float* values, std::int64_t count) {
  return std::as_bytes(std::span<const float>(values, static_cast<std::size_t>(count)));
}

}  // namespace

std::string synapse_file(const Case& c, const std::string& root) {
  if (c.split == Split::test) return (fs::path(root) / "test_vol_h5" / (c.id + ".npy.h5")).string();
  return slice_file(c, root, c.last_slice);
}

std::string btcv_file(const Case& c, const std::string& root) {
  return (fs::path(root) / "label" / ("label" + without_case(c.id) + ".nii.gz")).string();
}

void write_synapse_case(const Case& c, const OrganOrder& order, const std::string& root) {
  const Volume volume = read_nifti(c.images.at(0));
  LabelVolume labels = read_nifti_labels(c.label);
  require_same_grid(c.images[0], volume.header, c.label, labels.header);
  const NiftiHeader& h = volume.header;
  if (h.channels != 1) bad_data("volume has several channels", c.images[0], "1", std::to_string(h.channels));
  organ_label_map(order).apply(labels.voxels, kOrgans + 1, c.label);
  std::vector<float> image(volume.voxels.size()), label(volume.voxels.size());
  for_each_swapped(h, volume.voxels, [&](std::int64_t to, float v) {
    image[static_cast<std::size_t>(to)] = (std::clamp(v, kLeastHu, kMostHu) - kLeastHu) / (kMostHu - kLeastHu);
  });
  for_each_swapped(h, labels.voxels, [&](std::int64_t to, std::int32_t v) {
    label[static_cast<std::size_t>(to)] = static_cast<float>(v);
  });
  fs::create_directories(fs::path(synapse_file(c, root)).parent_path());
  if (c.split == Split::test) {
    const auto* header = reinterpret_cast<const std::uint8_t*>(h.raw.data());
    write_hdf5(synapse_file(c, root), {{"image", {h.nz, h.nx, h.ny}, image},
                                       {"label", {h.nz, h.nx, h.ny}, label},
                                       {"nifti_header", {348}, {}, {header, h.raw.size()}}});
    return;
  }
  const std::int64_t n = h.nx * h.ny;
  for (std::int64_t z = 0; z < h.nz; ++z)
    write_npz(slice_file(c, root, z),
              {{"image", "<f4", {h.nx, h.ny}, bytes_of(&image[static_cast<std::size_t>(z * n)], n)},
               {"label", "<f4", {h.nx, h.ny}, bytes_of(&label[static_cast<std::size_t>(z * n)], n)},
               {"nifti_header", "|u1", {348}, h.raw}});
}

void write_synapse_lists(const std::vector<Case>& cases, const std::string& root) {
  std::string train, test, all;
  for (const Case& c : cases) {
    if (c.split == Split::test) {
      test += c.id + "\n";
      all += c.id + ".npy.h5\n";
      continue;
    }
    for (std::int64_t z = 0; z <= c.last_slice; ++z) train += slice_name(c, z) + "\n";
    all += c.id + ".npy.h5\n";
  }
  const fs::path folder = fs::path(root) / "lists_Synapse";
  fs::create_directories(folder);
  write_file_atomically((folder / "train.txt").string(), train);
  write_file_atomically((folder / "test_vol.txt").string(), test);
  write_file_atomically((folder / "all.lst").string(), all);
}

bool write_btcv_case(const Case& c, const OrganOrder& order, const std::string& root) {
  const ImageStack stack = read_image_stack(c.images, 0, -1);
  const std::vector<Mask> masks = read_label_stack(c.images, 0, stack.slices - 1);
  const NiftiHeader& h = stack.header;
  std::vector<float> image(stack.pixels.size());
  std::vector<std::int32_t> labels(stack.pixels.size());
  std::size_t from = 0;
  for (std::int64_t z = 0; z < h.nz; ++z) {
    const Mask& mask = masks[static_cast<std::size_t>(z)];
    if (Extent{mask.h, mask.w} != stack.extent)
      bad_data("image and label differ in size", c.images[0], fmt::format("{}x{}", stack.extent.w, stack.extent.h),
               mask.size_text());
    for (std::int64_t x = 0; x < h.nx; ++x)
      for (std::int64_t y = 0; y < h.ny; ++y, ++from) {
        const auto to = static_cast<std::size_t>(x + h.nx * (y + h.ny * z));
        image[to] = stack.pixels[from] * (kMostHu - kLeastHu) + kLeastHu;
        const std::int32_t v = mask.at(x, y);
        if (v > kOrgans) bad_data("label value without a class", c.images[0], "0 to 8", std::to_string(v));
        labels[to] = v == 0 ? 0 : order.btcv[static_cast<std::size_t>(v - 1)];
      }
  }
  const std::string label_path = btcv_file(c, root),
                    image_path = (fs::path(root) / "img" / ("img" + without_case(c.id) + ".nii.gz")).string();
  for (const std::string& path : {label_path, image_path}) fs::create_directories(fs::path(path).parent_path());
  write_nifti_image(image_path, h, image);
  write_nifti_mask(label_path, h, labels);
  return h.has_orientation();
}

}  // namespace gf
