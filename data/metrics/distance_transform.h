#pragma once
// Exact Euclidean distance transform on an anisotropic grid, O(voxels) and threaded: along each axis in turn, the lower
// envelope of the parabolas that the pass before left (Felzenszwalb and Huttenlocher, "Distance transforms of sampled
// functions", 2012).
#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace gf {

struct MaskGrid {
  std::int64_t nz = 1, ny = 1, nx = 1;        // x fastest
  std::array<double, 3> spacing = {1, 1, 1};  // (z, y, x): mm, or 1 for voxels
  bool volume = true;                         // false: a picture (nz 1) whose border knows no z neighbours

  std::int64_t voxels() const { return nz * ny * nx; }
};

// Squared distance of every voxel to the nearest voxel of `seeds` (non-zero), centre to centre, in units of the
// spacing; infinity where there is no seed.
std::vector<double> squared_distance_transform(std::span<const std::uint8_t> seeds, const MaskGrid& grid);

// The distances (not squared) at the non-zero voxels of `from` only, in the grid's order: the last pass is left out
// where nobody asks.
std::vector<double> distances_to(std::span<const std::uint8_t> seeds, std::span<const std::uint8_t> from,
                                 const MaskGrid& grid);

}  // namespace gf
