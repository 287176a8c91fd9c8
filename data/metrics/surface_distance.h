#pragma once
// Distances between the borders of two masks, voxel centre to voxel centre, as medpy and MONAI take them. The border of
// a mask is the mask minus its erosion by the cross (6 neighbours in a volume, 4 in a picture); the edge of the image
// counts as outside. surface_elements.h has the other way, with areas.
#include <cstdint>
#include <span>
#include <vector>

#include "data/metrics/mask_pair.h"

namespace gf {

struct SurfaceDistances {
  std::vector<double> prediction_to_truth, truth_to_prediction;  // one per border voxel; infinite towards an empty mask
};

// Both masks may be empty here; what that means for a score is the protocol's business.
SurfaceDistances surface_distances(const MaskPair& pair);

// Masks of nz * ny * nx voxels; both must have foreground (medpy raises there, so does this).
SurfaceDistances surface_distances(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth,
                                   const MaskGrid& grid);

// The 95th percentile, linear between ranks as numpy has it: of both directions pooled (medpy), or of each, and the
// greater one (MONAI). NaN where a mask is empty (MONAI's answer; medpy raises).
double hd95_pooled(const SurfaceDistances& d);
double hd95_greater(const SurfaceDistances& d);
// The greatest distance: Hausdorff. Infinite where one mask is empty, NaN where both are.
double hd100(const SurfaceDistances& d);
// Mean over both directions pooled, as current medpy and MONAI have it; medpy before 0.5 averaged the two directed
// means.
double assd(const SurfaceDistances& d);
// MONAI's surface Dice: the share of border voxels, of both masks, that lie within the tolerance of the other border.
double border_nsd(const SurfaceDistances& d, double tolerance);

}  // namespace gf
