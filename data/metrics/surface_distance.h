#pragma once
// Distances between the surfaces of two masks, by medpy's rule. The border of a mask is the mask minus its erosion by
// the cross (6 neighbours in a volume, 4 in a picture); the edge of the image counts as outside. For every border voxel
// of one mask the distance to the nearest border voxel of the other is taken, centre to centre, from an exact Euclidean
// distance transform (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012): O(voxels).
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace gf {

struct MaskGrid {
  std::int64_t nz = 1, ny = 1, nx = 1;        // x fastest
  std::array<double, 3> spacing = {1, 1, 1};  // (z, y, x): mm, or 1 for voxels
  bool volume = true;                         // false: a picture (nz 1) whose border knows no z neighbours
};

struct SurfaceDistances {
  std::vector<double> prediction_to_truth, truth_to_prediction;  // one per border voxel
};

// Masks hold 0 and non-zero, nz * ny * nx voxels each; both must have foreground (medpy raises there, so does this).
SurfaceDistances surface_distances(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth,
                                   const MaskGrid& grid);

double hd95(const SurfaceDistances& d);   // 95th percentile of both directions pooled, linear interpolation (numpy's)
double hd100(const SurfaceDistances& d);  // the greatest distance: Hausdorff
// Mean over both directions pooled, as current medpy has it; its releases before averaged the two directed means.
double assd(const SurfaceDistances& d);

// Squared distance of every voxel to the nearest voxel of `seeds` (non-zero), in units of the spacing; infinity where
// there is no seed. Exact; used by surface_distances.
std::vector<double> squared_distance_transform(std::span<const std::uint8_t> seeds, const MaskGrid& grid);

}  // namespace gf
