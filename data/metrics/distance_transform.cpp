#include "data/metrics/distance_transform.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/parallel.h"

namespace gf {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kTile = 8;  // neighbouring lines taken together: a cache line of doubles

// min over q of f[q] + (spacing * (p - q))^2 for every p of one line.
class LineTransform {
 public:
  explicit LineTransform(std::int64_t longest) : vertex_(longest), from_(longest + 1), out_(longest) {}

  void apply(double* f, std::int64_t n, double spacing) {
    const double s2 = spacing * spacing;
    std::int64_t k = -1;  // index of the rightmost parabola of the envelope
    for (std::int64_t q = 0; q < n; ++q) {
      if (f[q] == infinity) continue;
      double start = -infinity;
      for (; k >= 0; --k) {
        const double v = static_cast<double>(vertex_[k]), p = static_cast<double>(q);
        start = ((f[q] + s2 * p * p) - (f[vertex_[k]] + s2 * v * v)) / (2 * s2 * (p - v));
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
      out_[p] = f[vertex_[k]] + distance * distance;
    }
    std::copy_n(out_.begin(), n, f);
  }

 private:
  std::vector<std::int64_t> vertex_;  // where the parabolas of the envelope have their lowest point
  std::vector<double> from_;          // from where on each of them is the lowest
  std::vector<double> out_;
};

// Along x, from the seeds themselves: the nearest one to the left, then to the right. False where the row has none.
bool row_distances(const std::uint8_t* seed, double* d, std::int64_t n, double spacing) {
  std::int64_t last = -1;
  for (std::int64_t x = 0; x < n; ++x) {
    if (seed[x]) last = x;
    d[x] = last < 0 ? infinity : static_cast<double>(x - last);
  }
  if (last < 0) return false;
  for (std::int64_t x = n, next = -1; x-- > 0;) {
    if (seed[x]) next = x;
    if (next >= 0) d[x] = std::min(d[x], static_cast<double>(next - x));
    const double distance = spacing * d[x];
    d[x] = distance * distance;
  }
  return true;
}

// Lines of `n` values a `stride` apart that begin at d[0], d[1], .. d[count - 1]. Where `from` is given, lines without
// a non-zero voxel of it are left as they are.
void transform_lines(double* d, const std::uint8_t* from, std::int64_t count, std::int64_t n, std::int64_t stride,
                     double spacing) {
  LineTransform line(n);
  std::vector<double> tile(static_cast<std::size_t>(kTile * n));
  for (std::int64_t x0 = 0; x0 < count; x0 += kTile) {
    const std::int64_t width = std::min(kTile, count - x0);
    std::array<bool, kTile> wanted;
    wanted.fill(!from);
    for (std::int64_t i = 0; i < n && from; ++i)
      for (std::int64_t x = 0; x < width; ++x) wanted[x] = wanted[x] || from[i * stride + x0 + x];
    if (std::none_of(wanted.begin(), wanted.end(), [](bool w) { return w; })) continue;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t x = 0; x < width; ++x) tile[x * n + i] = d[i * stride + x0 + x];
    for (std::int64_t x = 0; x < width; ++x)
      if (wanted[x]) line.apply(&tile[x * n], n, spacing);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t x = 0; x < width; ++x) d[i * stride + x0 + x] = tile[x * n + i];
  }
}

std::vector<double> transform(std::span<const std::uint8_t> seeds, const std::uint8_t* from, const MaskGrid& g) {
  std::vector<double> d(seeds.size());
  const std::int64_t slice = g.nx * g.ny;
  const std::uint8_t* from_in_slice = g.nz == 1 ? from : nullptr;  // then y is the last pass
  parallel_for(g.nz, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t z = begin; z < end; ++z) {
      bool any = false;
      for (std::int64_t y = 0; y < g.ny; ++y) {
        const std::int64_t row = z * slice + y * g.nx;
        any |= row_distances(&seeds[row], &d[row], g.nx, g.spacing[2]);
      }
      if (any) transform_lines(&d[z * slice], from_in_slice, g.nx, g.ny, g.nx, g.spacing[1]);
    }
  });
  if (g.nz > 1)
    parallel_for(g.ny, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t y = begin; y < end; ++y)
        transform_lines(&d[y * g.nx], from ? from + y * g.nx : nullptr, g.nx, g.nz, slice, g.spacing[0]);
    });
  return d;
}

}  // namespace

std::vector<double> squared_distance_transform(std::span<const std::uint8_t> seeds, const MaskGrid& grid) {
  return transform(seeds, nullptr, grid);
}

std::vector<double> distances_to(std::span<const std::uint8_t> seeds, std::span<const std::uint8_t> from,
                                 const MaskGrid& grid) {
  const std::vector<double> squared = transform(seeds, from.data(), grid);
  std::vector<double> out;
  out.reserve(static_cast<std::size_t>(std::count_if(from.begin(), from.end(), [](std::uint8_t v) { return v != 0; })));
  for (std::size_t i = 0; i < squared.size(); ++i)
    if (from[i]) out.push_back(std::sqrt(squared[i]));
  return out;
}

}  // namespace gf
