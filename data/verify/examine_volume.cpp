#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/preprocess.h"
#include "data/verify/examination.h"

namespace gf {
namespace {

constexpr double kSpacingDrift = 1e-3;   // relative: as large as rounding makes it
constexpr double kPositionDrift = 0.05;  // voxels

double corner_distance(const NiftiHeader& a, const NiftiHeader& b) {  // of the farthest corner, in voxels
  double farthest = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const double at[3] = {corner & 1 ? double(a.nx - 1) : 0, corner & 2 ? double(a.ny - 1) : 0,
                          corner & 4 ? double(a.nz - 1) : 0};
    double squares = 0;
    for (int r = 0; r < 3; ++r) {
      double d = a.affine[r][3] - b.affine[r][3];
      for (int k = 0; k < 3; ++k) d += (a.affine[r][k] - b.affine[r][k]) * at[k];
      squares += d * d;
    }
    farthest = std::max(farthest, std::sqrt(squares));
  }
  return farthest / std::min({a.spacing_mm[0], a.spacing_mm[1], a.spacing_mm[2]});
}

void compare_grids(Examination& x, const std::string& a_path, const NiftiHeader& a, const std::string& b_path,
                   const NiftiHeader& b, const std::string& what) {
  const bool same_size = a.nx == b.nx && a.ny == b.ny && a.nz == b.nz;
  if (!x.survives(same_size ? Check::affine_mismatch : Check::size_mismatch,
                  [&] { require_same_grid(a_path, a, b_path, b, what); }))
    return;
  double spacing = 0;
  for (int i = 0; i < 3; ++i)
    spacing = std::max(spacing, std::abs(a.spacing_mm[i] - b.spacing_mm[i]) / a.spacing_mm[i]);
  const double apart = a.has_orientation() && b.has_orientation() ? corner_distance(a, b) : 0;
  if (spacing > kSpacingDrift || apart > kPositionDrift)
    x.warn(Check::affine_mismatch,
           fmt::format("{} and {}: {} differ by {:.2g} % in spacing and {:.2g} voxels in position; small enough to be "
                       "taken as the same",
                       a_path, b_path, what, 100 * spacing, apart));
  if (a.has_orientation() != b.has_orientation())
    x.warn(Check::affine_mismatch, fmt::format("{} and {}: only one of them says where it lies", a_path, b_path));
}

// Channels of other sizes have no slices in common.
void add_slices(Examination& x, const Volume& volume, int axis) {
  const NiftiHeader& h = volume.header;
  if (static_cast<std::int64_t>(volume.voxels.size()) != h.voxels_per_channel() * h.channels) return;
  for (std::int64_t i = 0; i < slice_count(h, axis); ++i) {
    const Picture slice = image_slice(volume, axis, i);
    x.add_slice({slice.h, slice.w}, slice.c, slice.pixels);
  }
}

// The header of all channels together; none where one of them cannot be read.
std::optional<NiftiHeader> image_header(Examination& x) {
  const Case& c = x.examined();
  Volume all;
  NiftiHeader& header = all.header;
  for (const std::string& path : c.images) {
    Volume v;
    if (!x.reads([&](NonFinite n) { v = read_nifti(path, n); })) return {};
    if (all.voxels.empty()) {
      all = std::move(v);
      continue;
    }
    compare_grids(x, c.images[0], header, path, v.header, "channels");
    header.channels += v.header.channels;
    all.voxels.insert(all.voxels.end(), v.voxels.begin(), v.voxels.end());
  }
  const int axis = x.preprocessing().slice_axis, channels = x.preprocessing().channels;
  const Extent e = slice_extent(header, axis);
  CaseFacts& facts = x.facts();
  facts.size = {slice_count(header, axis), e.h, e.w};
  facts.spacing_mm = slice_spacing(header, axis);
  facts.channels = header.channels;
  x.finish_image(all.voxels);
  add_slices(x, all, axis);
  if (header.channels != channels)
    x.error(Check::channels, fmt::format("{}: expected {} channel{} (data.channels), found {}", c.images[0], channels,
                                         channels == 1 ? "" : "s", header.channels));
  return header;
}

}  // namespace

void examine_volume(Examination& x) {
  const std::optional<NiftiHeader> image = image_header(x);
  const Case& c = x.examined();
  LabelVolume label;
  if (c.label.empty() || !x.reads([&](NonFinite n) { label = read_nifti_labels(c.label, n); })) return;
  if (image) compare_grids(x, c.images[0], *image, c.label, label.header, "image and label");
  x.take_labels(label.voxels, c.label);
}

}  // namespace gf
