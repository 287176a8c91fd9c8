#include "data/nifti.h"

#include <fmt/format.h>
#include <nifti1_io.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>

#include "data/gz_stream.h"
#include "data/nifti_file.h"
#include "kernels/error.h"

namespace gf {
namespace {

constexpr double spacing_tolerance = 0.01;  // relative
constexpr double corner_tolerance = 0.5;    // voxels

std::string lower_extension(const std::filesystem::path& p) {
  std::string s = p.extension().string();
  for (char& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return s;
}

// The two names of a .hdr/.img pair; the library also tries .gz. It returns memory of malloc.
using CString = std::unique_ptr<char, decltype(&std::free)>;

std::string header_of_pair(const std::string& path) {
  const CString found(nifti_findhdrname(path.c_str()), &std::free);
  if (!found) bad_data("cannot read NIfTI pair", path, "a .hdr file beside it", "none");
  return found.get();
}

std::string voxels_of_pair(const std::string& path) {
  const CString found(nifti_findimgname(path.c_str(), NIFTI_FTYPE_NIFTI1_2), &std::free);
  if (!found) bad_data("cannot read NIfTI pair", path, "an .img file beside it", "none");
  return found.get();
}

nifti_1_header read_raw_header(const std::string& path, bool& swapped) {
  GzReader stream(path);
  nifti_1_header h{};
  stream.read(&h, sizeof h, "the NIfTI header");
  swapped = false;
  if (h.sizeof_hdr != 348) {
    swap_nifti_header(&h, 1);
    swapped = true;
  }
  if (h.sizeof_hdr != 348) {
    swap_nifti_header(&h, 1);  // back, so that the number printed is what a hex dump shows on this machine
    bad_data("not a NIfTI-1 file", path, "header size 348",
             std::to_string(h.sizeof_hdr) + (h.sizeof_hdr == 540 ? " (NIfTI-2)" : ""), "convert it to NIfTI-1");
  }
  if (std::memcmp(h.magic, "n+1", 4) != 0 && std::memcmp(h.magic, "ni1", 4) != 0)
    bad_data("not a NIfTI-1 file", path, "magic n+1 or ni1", "none (ANALYZE 7.5 does not say which way is left)",
             "convert it to NIfTI-1");
  return h;
}

void require_finite(const std::string& path, const char* field, double value) {
  if (!std::isfinite(value))
    bad_data("bad NIfTI header", path, std::string("a finite ") + field, fmt::format("{}", value));
}

void check_dimensions(const std::string& path, const nifti_1_header& h) {
  if (h.dim[0] < 1 || h.dim[0] > 7) bad_data("bad NIfTI header", path, "1 to 7 dimensions", std::to_string(h.dim[0]));
  for (int i = 1; i <= h.dim[0]; ++i) {
    if (h.dim[i] < 1)
      bad_data("bad NIfTI header", path, fmt::format("dim[{}] of at least 1", i), std::to_string(h.dim[i]));
    if (i <= 3) {
      require_finite(path, "voxel spacing (pixdim)", h.pixdim[i]);
      if (h.pixdim[i] == 0 && h.dim[i] > 1)
        bad_data("bad NIfTI header", path, fmt::format("a voxel spacing pixdim[{}]", i), "0",
                 "set it with the tool that made the file");
    }
  }
}

void check_orientation(const std::string& path, const nifti_1_header& h) {
  if (h.qform_code > 0)
    for (const float v : {h.quatern_b, h.quatern_c, h.quatern_d, h.qoffset_x, h.qoffset_y, h.qoffset_z})
      require_finite(path, "qform (quatern_*, qoffset_*)", v);
  if (h.sform_code > 0)
    for (const float* row : {h.srow_x, h.srow_y, h.srow_z})
      for (int i = 0; i < 4; ++i) require_finite(path, "sform (srow_*)", row[i]);
}

int bytes_of_scalar(const std::string& path, const nifti_1_header& h) {
  int bytes = 0;
  switch (h.datatype) {
    case DT_UINT8:
    case DT_INT8:
      bytes = 1;
      break;
    case DT_INT16:
    case DT_UINT16:
      bytes = 2;
      break;
    case DT_INT32:
    case DT_UINT32:
    case DT_FLOAT32:
      bytes = 4;
      break;
    case DT_INT64:
    case DT_UINT64:
    case DT_FLOAT64:
      bytes = 8;
      break;
    default:
      bad_data("unknown NIfTI datatype", path, "an integer of 1 to 8 bytes, FLOAT32 or FLOAT64",
               fmt::format("{} (code {})", nifti_datatype_string(h.datatype), h.datatype),
               "convert the volume to FLOAT32");
  }
  if (h.bitpix != 8 * bytes)
    bad_data("bad NIfTI header", path, fmt::format("bitpix {}", 8 * bytes), std::to_string(h.bitpix));
  return bytes;
}

// Slope 0 means "not scaled" in the standard; some writers leave NaN for the same.
void read_scale(const nifti_1_header& h, NiftiFile& file) {
  if (h.scl_slope == 0 || std::isnan(h.scl_slope)) return;
  require_finite(file.path, "scl_slope", h.scl_slope);
  require_finite(file.path, "scl_inter", h.scl_inter);
  file.slope = h.scl_slope;
  file.inter = h.scl_inter;
}

void read_offset(const nifti_1_header& h, bool pair, NiftiFile& file) {
  require_finite(file.path, "vox_offset", h.vox_offset);
  const double least = pair ? 0 : sizeof(nifti_1_header);
  const double offset = !pair && h.vox_offset == 0 ? 352 : h.vox_offset;  // 0 is a common slip in single files
  constexpr double kMost = 1e15;  // beyond any file, and a whole number as a double
  if (offset < least || offset > kMost || offset != std::floor(offset))
    bad_data("bad NIfTI header", file.path, fmt::format("vox_offset, a whole number from {}", least),
             fmt::format("{}", h.vox_offset));
  file.voxel_offset = static_cast<std::uint64_t>(offset);
}

void read_geometry(nifti_1_header h, NiftiFile& file) {
  for (int i = h.dim[0] + 1; i < 8; ++i)
    h.dim[i] = 1;  // beyond dim[0] anything may stand; the library leaves 0 as it is
  const std::unique_ptr<nifti_image, decltype(&nifti_image_free)> image(nifti_convert_nhdr2nim(h, file.path.c_str()),
                                                                        &nifti_image_free);
  if (!image) bad_data("bad NIfTI header", file.path, "a header the NIfTI library accepts", "one that it refuses");
  NiftiHeader& out = file.header;
  out.nx = image->nx;
  out.ny = image->ny;
  out.nz = image->nz;
  // Four dimensions of 15 bits: no overflow.
  out.channels = static_cast<std::int64_t>(image->nt) * image->nu * image->nv * image->nw;
  const double to_mm = image->xyz_units == NIFTI_UNITS_METER    ? 1000
                       : image->xyz_units == NIFTI_UNITS_MICRON ? 0.001
                                                                : 1;
  out.spacing_mm = {std::abs(image->dx) * to_mm, std::abs(image->dy) * to_mm, std::abs(image->dz) * to_mm};
  out.sform_code = image->sform_code;
  out.qform_code = image->qform_code;
  const mat44& m = image->sform_code > 0 ? image->sto_xyz : image->qto_xyz;
  for (int r = 0; r < 3; ++r)
    for (int c = 0; c < 4; ++c) out.affine[r][c] = m.m[r][c] * to_mm;
  out.datatype = nifti_datatype_string(h.datatype);
}

// Refuses a header that promises more voxels than the file can hold before memory is allocated for them.
// Deflate compresses at most 1032 to 1.
void check_size(const NiftiFile& file) {
  const double wanted = double(file.header.voxels_per_channel()) * double(file.header.channels) * file.bytes_per_voxel;
  const double on_disk = double(GzReader(file.voxel_path).file_bytes());
  if (wanted > 1100 * (on_disk + 1))
    bad_data("file is truncated", file.voxel_path, fmt::format("{:.0f} bytes of voxels", wanted),
             fmt::format("a file of {:.0f} bytes", on_disk), "copy or download the file again");
}

std::string grid(const NiftiHeader& h) {
  return fmt::format("{}x{}x{} voxels of {:.6g}x{:.6g}x{:.6g} mm", h.nx, h.ny, h.nz, h.spacing_mm[0], h.spacing_mm[1],
                     h.spacing_mm[2]);
}

std::array<double, 3> corner_mm(const NiftiHeader& h, int corner) {
  const double x = (corner & 1) ? double(h.nx - 1) : 0, y = (corner & 2) ? double(h.ny - 1) : 0,
               z = (corner & 4) ? double(h.nz - 1) : 0;
  std::array<double, 3> p{};
  for (int r = 0; r < 3; ++r) p[r] = h.affine[r][0] * x + h.affine[r][1] * y + h.affine[r][2] * z + h.affine[r][3];
  return p;
}

}  // namespace

NiftiFile open_nifti(const std::string& path) {
  nifti_set_debug_level(0);  // the library must not print; every failure is ours to report
  NiftiFile file;
  file.path = path;
  std::string extension = lower_extension(path);
  if (extension == ".gz") extension = lower_extension(std::filesystem::path(path).stem());
  const std::string header_path = extension == ".img" ? header_of_pair(path) : path;
  const nifti_1_header h = read_raw_header(header_path, file.swapped);
  const bool pair = h.magic[1] == 'i';
  file.voxel_path = pair ? voxels_of_pair(path) : path;
  check_dimensions(path, h);
  check_orientation(path, h);
  file.datatype = h.datatype;
  file.bytes_per_voxel = bytes_of_scalar(path, h);
  read_scale(h, file);
  read_offset(h, pair, file);
  read_geometry(h, file);
  std::memcpy(file.header.raw.data(), &h, sizeof h);
  check_size(file);
  return file;
}

NiftiHeader header_from_raw(const std::array<std::byte, 348>& raw, const std::string& where) {
  nifti_set_debug_level(0);
  nifti_1_header h{};
  std::memcpy(&h, raw.data(), sizeof h);
  if (h.sizeof_hdr != 348) bad_data("not a NIfTI-1 header", where, "header size 348", std::to_string(h.sizeof_hdr));
  NiftiFile file;
  file.path = where;
  check_dimensions(where, h);
  check_orientation(where, h);
  bytes_of_scalar(where, h);
  read_geometry(h, file);
  file.header.raw = raw;
  return file.header;
}

NiftiHeader plain_nifti_header(std::int64_t nx, std::int64_t ny, std::int64_t nz) {
  nifti_1_header h{};
  h.sizeof_hdr = sizeof h;
  h.dim[0] = 3;
  const std::int64_t sides[] = {nx, ny, nz};
  for (int i = 0; i < 7; ++i) {
    const std::int64_t n = i < 3 ? sides[i] : 1;
    if (n < 1 || n > std::numeric_limits<short>::max())
      fail("volume too large for NIfTI-1", "plain_nifti_header", "1 to 32767 voxels a side", std::to_string(n));
    h.dim[i + 1] = static_cast<short>(n);
    h.pixdim[i + 1] = 1;
  }
  h.pixdim[0] = 1;
  h.datatype = DT_FLOAT32;
  h.bitpix = 32;
  h.scl_slope = 1;
  h.vox_offset = 352;
  h.xyzt_units = NIFTI_UNITS_MM;
  std::memcpy(h.magic, "n+1", 4);
  std::array<std::byte, 348> raw;
  std::memcpy(raw.data(), &h, sizeof h);
  return header_from_raw(raw, "plain_nifti_header");
}

NiftiHeader read_nifti_header(const std::string& path) { return open_nifti(path).header; }

void require_same_grid(const std::string& image_path, const NiftiHeader& image, const std::string& label_path,
                       const NiftiHeader& label, const std::string& what) {
  const std::string where = image_path + " and " + label_path;
  const char* remedy = "resample one onto the other's grid";
  bool same = image.nx == label.nx && image.ny == label.ny && image.nz == label.nz;
  for (int i = 0; i < 3; ++i)
    same = same && std::abs(image.spacing_mm[i] - label.spacing_mm[i]) <= spacing_tolerance * image.spacing_mm[i];
  if (!same) bad_data(what + " differ in their grids", where, grid(image), grid(label), remedy);
  if (!image.has_orientation() || !label.has_orientation()) return;
  for (int corner = 0; corner < 8; ++corner) {
    const auto a = corner_mm(image, corner), b = corner_mm(label, corner);
    const double apart = std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    const double voxel = std::min({image.spacing_mm[0], image.spacing_mm[1], image.spacing_mm[2]});
    if (apart > corner_tolerance * voxel)
      bad_data(what + " differ in position or orientation", where,
               fmt::format("a corner at ({:.3f}, {:.3f}, {:.3f}) mm", a[0], a[1], a[2]),
               fmt::format("it at ({:.3f}, {:.3f}, {:.3f}) mm", b[0], b[1], b[2]), remedy);
  }
}

bool is_nifti_name(const std::string& path) {
  for (const char* ending : {".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz"})
    if (path.ends_with(ending)) return true;
  return false;
}

std::string nifti_stem(const std::string& path) {
  std::filesystem::path p = std::filesystem::path(path).filename();
  if (p.extension() == ".gz") p = p.stem();
  return p.stem().string();
}

}  // namespace gf
