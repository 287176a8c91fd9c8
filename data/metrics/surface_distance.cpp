#include "data/metrics/surface_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "kernels/error.h"

namespace gf {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// min over q of f[q] + (spacing * (p - q))^2 for every p of one line, as the lower envelope of parabolas.
class LineTransform {
 public:
  explicit LineTransform(std::int64_t longest) : f_(longest), vertex_(longest), from_(longest + 1) {}

  void apply(double* values, std::int64_t n, std::int64_t stride, double spacing) {
    for (std::int64_t i = 0; i < n; ++i) f_[i] = values[i * stride];
    const double s2 = spacing * spacing;
    std::int64_t k = -1;  // index of the rightmost parabola of the envelope
    for (std::int64_t q = 0; q < n; ++q) {
      if (f_[q] == infinity) continue;
      double start = -infinity;
      for (; k >= 0; --k) {
        const double v = static_cast<double>(vertex_[k]), p = static_cast<double>(q);
        start = ((f_[q] + s2 * p * p) - (f_[vertex_[k]] + s2 * v * v)) / (2 * s2 * (p - v));
        if (start > from_[k]) break;
        start = -infinity;
      }
      vertex_[++k] = q;
      from_[k] = start;
    }
    if (k < 0) return;  // no seed on this line: it stays infinite
    const std::int64_t last = k;
    k = 0;
    for (std::int64_t p = 0; p < n; ++p) {
      while (k < last && from_[k + 1] < static_cast<double>(p)) ++k;
      const double distance = spacing * static_cast<double>(p - vertex_[k]);
      values[p * stride] = f_[vertex_[k]] + distance * distance;
    }
  }

 private:
  std::vector<double> f_;
  std::vector<std::int64_t> vertex_;  // where the parabolas of the envelope have their lowest point
  std::vector<double> from_;          // from where on each of them is the lowest
};

// The part of the grid that holds the foreground of both masks: nothing outside it can matter.
struct Box {
  std::int64_t z0, y0, x0, z1, y1, x1;  // ends exclusive
};

Box foreground_box(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, const MaskGrid& g) {
  Box box{g.nz, g.ny, g.nx, 0, 0, 0};
  for (std::int64_t z = 0, i = 0; z < g.nz; ++z)
    for (std::int64_t y = 0; y < g.ny; ++y)
      for (std::int64_t x = 0; x < g.nx; ++x, ++i)
        if (a[i] || b[i]) {
          box = {std::min(box.z0, z),     std::min(box.y0, y),     std::min(box.x0, x),
                 std::max(box.z1, z + 1), std::max(box.y1, y + 1), std::max(box.x1, x + 1)};
        }
  return box;
}

std::vector<std::uint8_t> cut(std::span<const std::uint8_t> mask, const MaskGrid& g, const Box& b) {
  std::vector<std::uint8_t> out;
  for (std::int64_t z = b.z0; z < b.z1; ++z)
    for (std::int64_t y = b.y0; y < b.y1; ++y) {
      const auto row = mask.subspan((z * g.ny + y) * g.nx + b.x0, b.x1 - b.x0);
      out.insert(out.end(), row.begin(), row.end());
    }
  return out;
}

// Outside the grid counts as background; so does outside the box, where both masks are empty.
std::vector<std::uint8_t> border(const std::vector<std::uint8_t>& mask, const MaskGrid& g) {
  std::vector<std::uint8_t> out(mask.size());
  const std::int64_t row = g.nx, slice = g.nx * g.ny;
  for (std::int64_t z = 0, i = 0; z < g.nz; ++z)
    for (std::int64_t y = 0; y < g.ny; ++y)
      for (std::int64_t x = 0; x < g.nx; ++x, ++i) {
        if (!mask[i]) continue;
        const bool inside = x > 0 && x + 1 < g.nx && y > 0 && y + 1 < g.ny && mask[i - 1] && mask[i + 1] &&
                            mask[i - row] && mask[i + row] &&
                            (!g.volume || (z > 0 && z + 1 < g.nz && mask[i - slice] && mask[i + slice]));
        out[i] = !inside;
      }
  return out;
}

std::vector<double> distances(const std::vector<std::uint8_t>& from, const std::vector<std::uint8_t>& to,
                              const MaskGrid& g) {
  const std::vector<double> squared = squared_distance_transform(to, g);
  std::vector<double> out;
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i]) out.push_back(std::sqrt(squared[i]));
  return out;
}

}  // namespace

std::vector<double> squared_distance_transform(std::span<const std::uint8_t> seeds, const MaskGrid& g) {
  std::vector<double> d(seeds.size());
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = seeds[i] ? 0 : infinity;
  LineTransform line(std::max({g.nx, g.ny, g.nz}));
  const std::int64_t slice = g.nx * g.ny;
  for (std::int64_t r = 0; r < g.nz * g.ny; ++r) line.apply(&d[r * g.nx], g.nx, 1, g.spacing[2]);
  for (std::int64_t z = 0; z < g.nz; ++z)
    for (std::int64_t x = 0; x < g.nx; ++x) line.apply(&d[z * slice + x], g.ny, g.nx, g.spacing[1]);
  for (std::int64_t p = 0; p < slice; ++p) line.apply(&d[p], g.nz, slice, g.spacing[0]);
  return d;
}

SurfaceDistances surface_distances(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth,
                                   const MaskGrid& grid) {
  const std::size_t voxels = static_cast<std::size_t>(grid.nz * grid.ny * grid.nx);
  if (prediction.size() != voxels || truth.size() != voxels)
    fail("mask has another size than its grid", "surface_distances", std::to_string(voxels),
         std::to_string(prediction.size()) + " and " + std::to_string(truth.size()));
  const auto has_foreground = [](std::uint8_t v) { return v != 0; };
  if (std::none_of(prediction.begin(), prediction.end(), has_foreground) ||
      std::none_of(truth.begin(), truth.end(), has_foreground))
    fail("no surface distance to an empty mask", "surface_distances", "foreground in both masks");
  const Box box = foreground_box(prediction, truth, grid);
  MaskGrid part = grid;
  part.nz = box.z1 - box.z0;
  part.ny = box.y1 - box.y0;
  part.nx = box.x1 - box.x0;
  const std::vector<std::uint8_t> p = border(cut(prediction, grid, box), part), t = border(cut(truth, grid, box), part);
  return {distances(p, t, part), distances(t, p, part)};
}

double hd95(const SurfaceDistances& d) {
  std::vector<double> all = d.prediction_to_truth;
  all.insert(all.end(), d.truth_to_prediction.begin(), d.truth_to_prediction.end());
  const double position = 0.95 * static_cast<double>(all.size() - 1);
  const std::size_t below = static_cast<std::size_t>(position);
  std::nth_element(all.begin(), all.begin() + below, all.end());
  const double low = all[below];
  const double high = below + 1 < all.size() ? *std::min_element(all.begin() + below + 1, all.end()) : low;
  return low + (position - static_cast<double>(below)) * (high - low);
}

double hd100(const SurfaceDistances& d) {
  return std::max(*std::max_element(d.prediction_to_truth.begin(), d.prediction_to_truth.end()),
                  *std::max_element(d.truth_to_prediction.begin(), d.truth_to_prediction.end()));
}

double assd(const SurfaceDistances& d) {
  const auto sum = [](const std::vector<double>& v) { return std::accumulate(v.begin(), v.end(), 0.0); };
  return (sum(d.prediction_to_truth) + sum(d.truth_to_prediction)) /
         static_cast<double>(d.prediction_to_truth.size() + d.truth_to_prediction.size());
}

}  // namespace gf
