#pragma once
// Prediction and truth of one class, cut to the box that holds the foreground of both with one voxel of background
// around it: nothing outside can matter to a distance, and nobody has to ask where the image ends.
#include <span>
#include <vector>

#include "data/metrics/distance_transform.h"

namespace gf {

struct MaskPair {
  MaskGrid grid;                                // of the cut; a picture has no voxels around it along z
  std::vector<std::uint8_t> prediction, truth;  // 0 or 1
};

struct MaskBox {
  std::int64_t z0 = 0, y0 = 0, x0 = 0, z1 = 0, y1 = 0, x1 = 0;  // ends exclusive; all 0: no foreground

  bool empty() const { return z1 <= z0; }
  void add(std::int64_t z, std::int64_t y, std::int64_t x_begin, std::int64_t x_end);
};

// Masks of nz * ny * nx voxels, 0 and non-zero. Error where a size differs from the grid's.
MaskPair cut_pair(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth, const MaskGrid& grid);

// An empty pair on the grid of `box`, for filling row by row: voxel (z, y, x) of `grid` is at index(z, y, x).
class MaskPairBuilder {
 public:
  MaskPairBuilder(const MaskBox& box, const MaskGrid& grid);
  std::size_t index(std::int64_t z, std::int64_t y, std::int64_t x) const {
    return static_cast<std::size_t>(((z - origin_[0]) * pair_.grid.ny + (y - origin_[1])) * pair_.grid.nx + x -
                                    origin_[2]);
  }
  MaskPair& pair() { return pair_; }

 private:
  MaskPair pair_;
  std::array<std::int64_t, 3> origin_;  // of the cut in the grid
};

}  // namespace gf
