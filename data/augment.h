#pragma once
// Random changes of a picture and its class map. What happens to a sample is a pure function of (seed, epoch, sample
// number): the same whatever the number of threads and whether the run was resumed.
#include <cstdint>
#include <optional>

#include "data/augment_filters.h"
#include "data/picture.h"
#include "kernels/augment.h"

namespace gf {

// The default changes nothing; each line is a switch of its own.
struct Augmentation {
  bool hflip = false;  // left-right, every second time
  bool vflip = false;  // upside down, every second time
  bool rot90 = false;  // a multiple of 90 degrees; of pictures that are not square, 180 only
  // TransUNet's choice: half of all pictures get a quarter turn where rot90 is set (0 to 3 of them) and one of the
  // flips that are set; half of the others the rotation; no picture gets both.
  bool flip_or_rotate = false;
  float rotation_degrees = 0;  // uniform in [-rotation_degrees, rotation_degrees]
  float zoom_min = 1;          // log-uniform in [zoom_min, zoom_max]; 2 = everything twice as large
  float zoom_max = 1;
  float rotation_share = 1, zoom_share = 1;  // of the pictures that are rotated, that are zoomed

  float gain = 0;    // intensity t = (x - least) / (most - least) of the picture becomes
  float offset = 0;  //   g * t^e + o with g uniform in [1 - gain, 1 + gain], o in [-offset, offset],
  float gamma = 0;   //   e log-uniform in [1 / (1 + gamma), 1 + gamma]

  Filters filters = {};  // after all of the above

  bool any() const { return *this != Augmentation{}; }
  bool operator==(const Augmentation&) const = default;
};

// Changes both in place, sizes stay. Rotation and zoom turn about the middle: bilinear for the picture, nearest for the
// labels; what comes from outside is the channel's least value and `outside_label`.
// Error for ranges that make no sense (zoom_min > zoom_max, zoom_min <= 0, negative rotation, gain, offset, gamma; a
// share beyond 0 to 1).
void augment(Picture& picture, Mask& mask, const Augmentation& how, const SampleKey& key,
             std::int32_t outside_label = 0);
void check(const Augmentation& how);

// The same in two parts, for pictures that are changed elsewhere: what happens to a sample of that height and width,
// and what its channels have beyond the rim.
PictureChange draw_change(const Augmentation& how, const SampleKey& key, std::int64_t h, std::int64_t w);
std::vector<float> outside_of(const Picture& picture, const Augmentation& how);
bool changes_levels(const Augmentation& how);

}  // namespace gf
