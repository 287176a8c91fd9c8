#pragma once
// Distances between the surfaces of two masks as pieces of area, by the rule of DeepMind's surface-distance (Nikolov et
// al., "Clinically applicable segmentation of head and neck anatomy", 2021): every 2 x 2 x 2 neighbourhood that holds
// both inside and outside carries a piece of surface, placed at the neighbourhood's centre, half a voxel off the
// voxels; its area is that of a marching-cubes surface through the midpoints of the edges. In a picture: 2 x 2 pixels
// and the length of a contour. The edge of the image counts as outside.
#include <array>
#include <vector>

#include "data/metrics/mask_pair.h"

namespace gf {

struct SurfaceElements {
  std::vector<double> distance,
      area;  // to the nearest element of the other mask (infinite: it has none); mm² or voxels
};

struct ElementDistances {
  SurfaceElements prediction, truth;
};

ElementDistances element_distances(const MaskPair& pair);

// The least distance below which 95 % of the area lies, of each mask, and the greater one; infinite where a mask is
// empty.
double hd95_area(const ElementDistances& d);
// Normalised surface Dice: the share of the area of both masks that lies within the tolerance of the other one. NaN
// where both are empty, 0 where one is.
double nsd(const ElementDistances& d, double tolerance);

// Area by the bits of a neighbourhood: corner (z, y, x), each 0 or 1, is bit 4z + 2y + x.
std::array<double, 256> element_areas(const std::array<double, 3>& spacing);
// Length by the bits of four pixels: corner (y, x) is bit 2y + x.
std::array<double, 16> element_lengths(const std::array<double, 3>& spacing);

}  // namespace gf
