#pragma once
// Prediction and truth of one class, cut to the box that holds the foreground of both with one voxel of background
// around it: nothing outside can matter to a distance, and nobody has to ask where the image ends.
#include <optional>
#include <span>
#include <vector>

#include "data/metrics/distance_transform.h"
#include "data/picture.h"

namespace gf {

struct MaskPair {
  MaskGrid grid;                                // of the cut; a picture has no voxels around it along z
  std::vector<std::uint8_t> prediction, truth;  // 0 or 1
};

struct MaskBox {
  std::int64_t z0 = 0, y0 = 0, x0 = 0, z1 = 0, y1 = 0, x1 = 0;  // ends exclusive; all 0: no foreground

  void add(std::int64_t z, std::int64_t y, std::int64_t x_begin, std::int64_t x_end);
};

// Masks of nz * ny * nx voxels, 0 and non-zero. Error where a size differs from the grid's.
MaskPair cut_pair(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth, const MaskGrid& grid);

// The same of class maps, slice by slice: the box of every foreground class in truth and prediction together, found in
// one pass, and the masks of one class within it. Pixels whose truth is `ignore` belong to no class.
std::vector<MaskBox> class_boxes(int classes, const std::vector<Mask>& truth, const std::vector<Mask>& prediction,
                                 std::optional<std::int32_t> ignore = std::nullopt);
MaskPair class_pair(int id, const MaskBox& box, const std::vector<Mask>& truth, const std::vector<Mask>& prediction,
                    const MaskGrid& grid, std::optional<std::int32_t> ignore = std::nullopt);

}  // namespace gf
