#include "data/metrics/mask_pair.h"

#include <algorithm>
#include <string>

#include "kernels/error.h"
#include "kernels/parallel.h"

namespace gf {
namespace {

// Background on the grid of `box`, and the place in it of voxel (z, y, x) of the whole grid.
class Cut {
 public:
  Cut(const MaskBox& box, const MaskGrid& grid) : origin_{box.z0 - (grid.volume ? 1 : 0), box.y0 - 1, box.x0 - 1} {
    MaskGrid& g = pair.grid;
    g = grid;
    g.nz = box.z1 - box.z0 + (grid.volume ? 2 : 0);
    g.ny = box.y1 - box.y0 + 2;
    g.nx = box.x1 - box.x0 + 2;
    pair.prediction.resize(static_cast<std::size_t>(g.voxels()));
    pair.truth.resize(static_cast<std::size_t>(g.voxels()));
  }
  std::size_t index(std::int64_t z, std::int64_t y, std::int64_t x) const {
    const std::int64_t row = (z - origin_[0]) * pair.grid.ny + y - origin_[1];
    return static_cast<std::size_t>(row * pair.grid.nx + x - origin_[2]);
  }

  MaskPair pair;

 private:
  std::array<std::int64_t, 3> origin_;
};

}  // namespace

void MaskBox::add(std::int64_t z, std::int64_t y, std::int64_t x_begin, std::int64_t x_end) {
  if (z1 <= z0) {
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
  Cut cut(box, g);
  for (std::int64_t z = box.z0; z < box.z1; ++z)
    for (std::int64_t y = box.y0; y < box.y1; ++y)
      for (std::int64_t x = box.x0; x < box.x1; ++x) {
        const std::size_t from = static_cast<std::size_t>((z * g.ny + y) * g.nx + x), to = cut.index(z, y, x);
        cut.pair.prediction[to] = prediction[from] != 0;
        cut.pair.truth[to] = truth[from] != 0;
      }
  return std::move(cut.pair);
}

std::vector<MaskBox> class_boxes(int classes, const std::vector<Mask>& truth, const std::vector<Mask>& prediction,
                                 std::optional<std::int32_t> ignore) {
  std::vector<MaskBox> boxes(static_cast<std::size_t>(classes));
  for (std::size_t z = 0; z < truth.size(); ++z)
    for (std::int64_t y = 0; y < truth[z].h; ++y) {
      const std::int64_t w = truth[z].w;
      const std::int32_t *t = &truth[z].values[y * w], *p = &prediction[z].values[y * w];
      for (std::int64_t x = 0, end = 0; x < w; x = end) {
        for (end = x + 1; end < w && t[end] == t[x] && p[end] == p[x];) ++end;  // labels come in long runs
        if (t[x] == ignore) continue;
        for (const std::int32_t id : {t[x], p[x]})
          if (id > 0) boxes[id].add(static_cast<std::int64_t>(z), y, x, end);
      }
    }
  return boxes;
}

MaskPair class_pair(int id, const MaskBox& box, const std::vector<Mask>& truth, const std::vector<Mask>& prediction,
                    const MaskGrid& grid, std::optional<std::int32_t> ignore) {
  Cut cut(box, grid);
  const std::int32_t left_out = ignore.value_or(-1);  // no pixel's
  parallel_for(box.z1 - box.z0, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t z = box.z0 + begin; z < box.z0 + end; ++z)
      for (std::int64_t y = box.y0; y < box.y1; ++y) {
        const std::int32_t *t = &truth[z].values[y * grid.nx + box.x0],
                           *p = &prediction[z].values[y * grid.nx + box.x0];
        const std::size_t row = cut.index(z, y, box.x0);
        std::uint8_t *to_t = &cut.pair.truth[row], *to_p = &cut.pair.prediction[row];
        for (std::int64_t x = 0; x < box.x1 - box.x0; ++x) {
          const bool counted = t[x] != left_out;
          to_t[x] = counted & (t[x] == id);
          to_p[x] = counted & (p[x] == id);
        }
      }
  });
  return std::move(cut.pair);
}

}  // namespace gf
