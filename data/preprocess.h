#pragma once
// From stored intensities to what the network sees, and from the network's class map back to the file's grid. The same
// functions serve training, evaluation and prediction; the settings travel in the checkpoint.
//
//   picture or slice -> channels -> normalise (all of volume or picture) -> fit (shrink or resize) -> pad -> network
//   network          -> crop -> unshrink or resize -> picture, or slice placed in a volume
//
// Slices: the two axes left over keep their order, the first is the height: axis 0 (sagittal where x runs left-right)
// gives (y, z), axis 1 (x, z), axis 2 (x, y).
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/label_map.h"
#include "data/nifti.h"
#include "data/picture.h"
#include "data/zoom.h"

namespace gf {

enum class Normalisation {
  none,        // as stored
  minmax,      // (x - min) / (max - min)
  percentile,  // clipped to two percentiles (linear interpolation), then as minmax between them
  zscore,      // (x - mean) / standard deviation
  window,      // (x - low) / (high - low) of the clip window, the same for every file: of CT
  bytes,       // x / 255, of 8-bit pictures
  imagenet     // (x / 255 - mean) / deviation of ImageNet's red, green, blue; of 8-bit RGB pictures
};
const char* name_of(Normalisation n);
Normalisation parse_normalisation(const std::string& name);  // usage error listing the names
std::vector<std::string> normalisation_names();

enum class Tiling {
  none,
  gastric  // pictures are cut into tiles as the gastric cancer data set is (tiles.h), which come as 0..1
};

struct Preprocessing {
  int channels = 1;  // 1 gray, 3 RGB; volumes: the number of channels in the file
  Normalisation normalisation = Normalisation::percentile;
  std::optional<std::array<double, 2>> clip;        // values are cut to [low, high] before all else
  std::array<double, 2> percentiles = {0.5, 99.5};  // of normalisation percentile

  int slice_axis = 2;  // of volumes: 0 = x, 1 = y, 2 = z
  int shrink = 1;      // slices made smaller by this whole factor
  // Slices and pictures are taken to this size, whatever theirs (zoom.h); 0: they are not. Labels by order 0, and so
  // back again. Not together with shrink.
  int resize_height = 0;
  int resize_width = 0;
  int resize_order = 3;  // of the picture: 0, 1 or 3
  ZoomBorder zoom_border = ZoomBorder::clamp;
  int stride = 32;     // height and width are padded to multiples of it ...
  int min_height = 0;  // ... and at least to these, so that pictures of several sizes fit one batch
  int min_width = 0;
  LabelMap label_map;
  Tiling tiling = Tiling::none;

  bool resizes() const { return resize_height > 0; }

  // Flat text form for checkpoints; from_fields throws on missing, unknown or malformed entries. What is younger than
  // the first checkpoints (clip, percentiles, resize) is written where it is not the default and may be missing.
  std::map<std::string, std::string> to_fields() const;
  static Preprocessing from_fields(const std::map<std::string, std::string>& fields);
  bool operator==(const Preprocessing&) const = default;
};
// Usage error for a number out of its range, or two settings that exclude each other.
void check(const Preprocessing& p);

// Clips and normalises every channel on its own, in place; `channels` interleaved values per pixel. A constant channel
// becomes 0 where its own values are the scale. `file` is named where 8-bit values are asked for and others found
// (bad_data).
void normalise(std::span<float> values, std::int64_t channels, const Preprocessing& how, const std::string& file = {});

std::int64_t slice_count(const NiftiHeader& header, int axis);
Extent slice_extent(const NiftiHeader& header, int axis);
// Spacing in mm along (slices, height, width).
std::array<double, 3> slice_spacing(const NiftiHeader& header, int axis);
Picture image_slice(const Volume& volume, int axis, std::int64_t index);
Mask label_slice(const LabelVolume& volume, int axis, std::int64_t index);
void place_slice(LabelVolume& volume, int axis, std::int64_t index, const Mask& mask);

// Images: mean over factor x factor boxes (smaller at the far edges). Labels: the pixel at the box's centre, the upper
// left one of an even box's four. Sizes are rounded up. unshrink: every pixel becomes a box, cut to `full`.
Picture shrink(const Picture& picture, int factor);
Mask shrink(const Mask& mask, int factor);
Mask unshrink(const Mask& mask, int factor, Extent full);

// Shrunk or resized, as `p` says, to shrunk_extent(); and the picture back at full size, to be looked at.
Picture fit(const Picture& picture, const Preprocessing& p);
Mask fit(const Mask& mask, const Preprocessing& p);
Picture unfit(const Picture& picture, Extent full, const Preprocessing& p);

// Padding lies around the picture, the odd pixel below and to the right, so that rotations turn about its middle. New
// pixels get the smallest value of their channel; new label pixels the ignore index where there is one, else 0.
Extent padded_extent(Extent e, const Preprocessing& p);
Picture pad(const Picture& picture, Extent to);
Mask pad(const Mask& mask, Extent to, std::int32_t fill);
Picture crop(const Picture& picture, Extent to);  // undoes pad
Mask crop(const Mask& mask, Extent to);

// Extent of a picture of `full` pixels after shrinking or resizing, before padding.
Extent shrunk_extent(Extent full, const Preprocessing& p);
// A class map of the network's size back to the original picture of `full` pixels: crop, then unshrink or resize.
Mask restore(const Mask& network_output, Extent full, const Preprocessing& p);

}  // namespace gf
