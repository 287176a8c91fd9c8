#pragma once
// NIfTI-1 volumes: .nii, .nii.gz and .hdr/.img pairs. The NIfTI C library interprets the header; the voxels are read by
// our own checked stream, because the library turns NaN into 0 and a truncated file into zeros without an error.
//
// Index order everywhere: x fastest, then y, z and channel: voxels[x + nx * (y + ny * (z + nz * channel))].
// Errors are bad_data with the file name.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace gf {

// Where the voxels lie in the world, and the header bytes a mask inherits.
struct NiftiHeader {
  std::int64_t nx = 0, ny = 0, nz = 1;
  std::int64_t channels = 1;                      // product of dimensions 4 to 7 (time, vector components)
  std::array<double, 3> spacing_mm = {1, 1, 1};   // distance between neighbouring voxels along x, y, z
  int sform_code = 0, qform_code = 0;             // 0 = that transform is not given
  std::array<std::array<double, 4>, 3> affine{};  // voxel index to mm: sform where given, else qform, else spacing only
  std::string datatype;                           // "UINT8", "FLOAT32", ...
  std::array<std::byte, 348> raw{};               // the header in this machine's byte order

  std::int64_t voxels_per_channel() const { return nx * ny * nz; }
  bool has_orientation() const { return sform_code > 0 || qform_code > 0; }
};

// Intensities after slope and intercept.
struct Volume {
  NiftiHeader header;
  std::vector<float> voxels;
};

// Integer labels after slope and intercept; one channel.
struct LabelVolume {
  NiftiHeader header;
  std::vector<std::int32_t> voxels;
};

enum class NonFinite { refuse, zero };  // NaN and inf voxels: an error with count and first position, or replaced by 0

NiftiHeader read_nifti_header(const std::string& path);
Volume read_nifti(const std::string& path, NonFinite non_finite = NonFinite::refuse);
// Values that are not integers, or beyond 32 bits, and more than one channel are errors.
LabelVolume read_nifti_labels(const std::string& path, NonFinite non_finite = NonFinite::refuse);

// Writes labels (nx*ny*nz of `like`, none negative) atomically as uint8, uint16 above 255 or int32 above 65535, slope
// 1, intercept 0. The header is copied from `like` (sform, qform, codes, units); only the fields that describe the
// stored values change. The finished file is read back and compared before it gets its name. `path` ends in .nii or
// .nii.gz.
void write_nifti_mask(const std::string& path, const NiftiHeader& like, std::span<const std::int32_t> labels);

// Intensities as float32, likewise (none NaN or infinite).
void write_nifti_image(const std::string& path, const NiftiHeader& like, std::span<const float> voxels);

// A header that other formats carry along; `where` names it in messages. bad_data where the library would refuse it.
NiftiHeader header_from_raw(const std::array<std::byte, 348>& raw, const std::string& where);
// Voxels of 1 mm without orientation: where nothing is known.
NiftiHeader plain_nifti_header(std::int64_t nx, std::int64_t ny, std::int64_t nz);

// An error naming both files and both values when `what` (image and label) do not lie on the same grid: different size,
// spacing apart by more than 1 %, or (where both headers give an orientation) a corner of the grid apart by more than
// half a voxel. Smaller differences are rounding of other tools and harmless.
void require_same_grid(const std::string& image_path, const NiftiHeader& image, const std::string& label_path,
                       const NiftiHeader& label, const std::string& what = "image and label");

// "case.nii.gz" or "/a/b/case.nii" becomes "case".
std::string nifti_stem(const std::string& path);
bool is_nifti_name(const std::string& path);

}  // namespace gf
