#include "data/metrics/mask_pair.h"

#include <algorithm>
#include <string>

#include "kernels/error.h"

namespace gf {

void MaskBox::add(std::int64_t z, std::int64_t y, std::int64_t x_begin, std::int64_t x_end) {
  if (empty()) {
    *this = {z, y, x_begin, z + 1, y + 1, x_end};
    return;
  }
  z0 = std::min(z0, z);
  y0 = std::min(y0, y);
  x0 = std::min(x0, x_begin);
  z1 = std::max(z1, z + 1);
  y1 = std::max(y1, y + 1);
  x1 = std::max(x1, x_end);
}

MaskPairBuilder::MaskPairBuilder(const MaskBox& box, const MaskGrid& grid) {
  const std::int64_t around_z = grid.volume ? 1 : 0;
  origin_ = {box.z0 - around_z, box.y0 - 1, box.x0 - 1};
  MaskGrid& g = pair_.grid;
  g = grid;
  g.nz = box.z1 - box.z0 + 2 * around_z;
  g.ny = box.y1 - box.y0 + 2;
  g.nx = box.x1 - box.x0 + 2;
  pair_.prediction.resize(static_cast<std::size_t>(g.voxels()));
  pair_.truth.resize(static_cast<std::size_t>(g.voxels()));
}

MaskPair cut_pair(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth, const MaskGrid& g) {
  const std::size_t voxels = static_cast<std::size_t>(g.voxels());
  if (prediction.size() != voxels || truth.size() != voxels)
    fail("mask has another size than its grid", "surface distance", std::to_string(voxels),
         std::to_string(prediction.size()) + " and " + std::to_string(truth.size()));
  if (!g.volume && g.nz != 1) fail("a picture has one slice", "surface distance", "nz 1", std::to_string(g.nz));
  MaskBox box;
  for (std::int64_t z = 0, i = 0; z < g.nz; ++z)
    for (std::int64_t y = 0; y < g.ny; ++y)
      for (std::int64_t x = 0; x < g.nx; ++x, ++i)
        if (prediction[i] || truth[i]) box.add(z, y, x, x + 1);
  MaskPairBuilder builder(box, g);
  MaskPair& pair = builder.pair();
  for (std::int64_t z = box.z0; z < box.z1; ++z)
    for (std::int64_t y = box.y0; y < box.y1; ++y)
      for (std::int64_t x = box.x0; x < box.x1; ++x) {
        const std::size_t from = static_cast<std::size_t>((z * g.ny + y) * g.nx + x), to = builder.index(z, y, x);
        pair.prediction[to] = prediction[from] != 0;
        pair.truth[to] = truth[from] != 0;
      }
  return pair;
}

}  // namespace gf
