#include "data/metrics/surface_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/error.h"
#include "kernels/parallel.h"

namespace gf {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// The mask has a voxel of background around it, so every foreground voxel has all its neighbours.
std::vector<std::uint8_t> border(const std::vector<std::uint8_t>& mask, const MaskGrid& g) {
  std::vector<std::uint8_t> out(mask.size());
  const std::int64_t row = g.nx, slice = g.nx * g.ny;
  const std::int64_t around_z = g.volume ? 1 : 0;
  parallel_for(g.nz - 2 * around_z, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t z = begin + around_z; z < end + around_z; ++z)
      for (std::int64_t y = 1; y + 1 < g.ny; ++y) {
        const std::uint8_t* m = &mask[z * slice + y * row];
        std::uint8_t* to = &out[z * slice + y * row];
        for (std::int64_t x = 1; x + 1 < g.nx; ++x) {
          std::uint8_t inside = m[x - 1] & m[x + 1] & m[x - row] & m[x + row];
          if (g.volume) inside &= m[x - slice] & m[x + slice];
          to[x] = m[x] & ~inside;
        }
      }
  });
  return out;
}

double mean_of_ranks(std::vector<double> all, double share) {
  if (all.empty()) return nan;
  const double position = share * static_cast<double>(all.size() - 1);
  const std::size_t below = static_cast<std::size_t>(position);
  std::nth_element(all.begin(), all.begin() + below, all.end());
  const double low = all[below];
  const double high = below + 1 < all.size() ? *std::min_element(all.begin() + below + 1, all.end()) : low;
  return low + (position - static_cast<double>(below)) * (high - low);
}

std::vector<double> both(const SurfaceDistances& d) {
  std::vector<double> all = d.prediction_to_truth;
  all.insert(all.end(), d.truth_to_prediction.begin(), d.truth_to_prediction.end());
  return all;
}

}  // namespace

SurfaceDistances surface_distances(const MaskPair& pair) {
  const std::vector<std::uint8_t> p = border(pair.prediction, pair.grid), t = border(pair.truth, pair.grid);
  return {distances_to(t, p, pair.grid), distances_to(p, t, pair.grid)};
}

SurfaceDistances surface_distances(std::span<const std::uint8_t> prediction, std::span<const std::uint8_t> truth,
                                   const MaskGrid& grid) {
  const MaskPair pair = cut_pair(prediction, truth, grid);
  if (std::ranges::count(pair.prediction, 1) == 0 || std::ranges::count(pair.truth, 1) == 0)
    fail("no surface distance to an empty mask", "surface_distances", "foreground in both masks");
  return surface_distances(pair);
}

double hd95_pooled(const SurfaceDistances& d) { return mean_of_ranks(both(d), 0.95); }

double hd95_greater(const SurfaceDistances& d) {
  const double to_truth = mean_of_ranks(d.prediction_to_truth, 0.95);
  const double to_prediction = mean_of_ranks(d.truth_to_prediction, 0.95);
  return std::isnan(to_truth) || std::isnan(to_prediction) ? nan : std::max(to_truth, to_prediction);
}

double hd100(const SurfaceDistances& d) {
  const std::vector<double> all = both(d);
  return all.empty() ? nan : *std::max_element(all.begin(), all.end());
}

double assd(const SurfaceDistances& d) {
  const std::vector<double> all = both(d);
  return all.empty() ? nan : std::accumulate(all.begin(), all.end(), 0.0) / static_cast<double>(all.size());
}

double border_nsd(const SurfaceDistances& d, double tolerance) {
  const std::vector<double> all = both(d);
  if (all.empty()) return nan;
  const auto within = std::count_if(all.begin(), all.end(), [&](double v) { return v <= tolerance; });
  return static_cast<double>(within) / static_cast<double>(all.size());
}

}  // namespace gf
