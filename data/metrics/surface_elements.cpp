#include "data/metrics/surface_elements.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/parallel.h"

namespace gf {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// ---- the table of areas, derived from the cube itself ----

using Vector = std::array<double, 3>;  // (z, y, x)

// Perpendicular to the triangle, as long as its area.
Vector area_vector(const Vector& a, const Vector& b, const Vector& c) {
  Vector u, v;
  for (int i = 0; i < 3; ++i) u[i] = b[i] - a[i], v[i] = c[i] - a[i];
  return {(u[1] * v[2] - u[2] * v[1]) / 2, (u[2] * v[0] - u[0] * v[2]) / 2, (u[0] * v[1] - u[1] * v[0]) / 2};
}

double length(const Vector& v) { return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]); }

struct Triangulation {
  std::vector<Vector> triangles;
  double area = 0;
};

// Of the polygon's part from corner `first` to `last`: the triangulation of greatest area. On the unit cube it is
// unique but for ones that agree for every spacing.
Triangulation triangulate(const std::vector<Vector>& polygon, std::size_t first, std::size_t last) {
  Triangulation best;
  for (std::size_t k = first + 1; k < last; ++k) {
    Triangulation t = triangulate(polygon, first, k);
    const Triangulation rest = triangulate(polygon, k, last);
    t.triangles.insert(t.triangles.end(), rest.triangles.begin(), rest.triangles.end());
    t.triangles.push_back(area_vector(polygon[first], polygon[k], polygon[last]));
    t.area += rest.area + length(t.triangles.back());
    if (t.area > best.area) best = std::move(t);
  }
  return best;
}

// Corners of `set` that hang together along the cube's edges with corner `start`; bits as in element_areas().
unsigned component(unsigned set, int start) {
  unsigned found = 1u << start;
  for (unsigned before = 0; before != found;) {
    before = found;
    for (int c = 0; c < 8; ++c)
      for (int axis = 0; axis < 3 && (found >> c & 1); ++axis) found |= set & 1u << (c ^ 1 << axis);
  }
  return found;
}

// The closed polygon that parts a component from the rest of the cube: midpoints of the edges that leave it, each next
// to those on the same face of the cube.
std::vector<Vector> boundary(unsigned corners) {
  std::vector<Vector> points;
  for (int c = 0; c < 8; ++c)
    for (int axis = 0; axis < 3 && (corners >> c & 1); ++axis) {
      if (corners >> (c ^ 1 << axis) & 1) continue;
      Vector p{double(c >> 2 & 1), double(c >> 1 & 1), double(c & 1)};
      p[2 - axis] = 0.5;
      points.push_back(p);
    }
  const auto share_face = [](const Vector& a, const Vector& b) {
    for (int i = 0; i < 3; ++i)
      if (a[i] == b[i] && a[i] != 0.5) return true;
    return false;
  };
  for (std::size_t i = 1; i < points.size(); ++i) {
    const auto next =
        std::find_if(points.begin() + i, points.end(), [&](const Vector& p) { return share_face(points[i - 1], p); });
    std::iter_swap(points.begin() + i, next);
  }
  return points;
}

// The side with fewer corners is cut off, each of its components by itself.
std::vector<Vector> triangles_of(unsigned code) {
  const unsigned few = std::popcount(code) <= 4 ? code : ~code & 255u;
  std::vector<Vector> triangles;
  for (unsigned left = few; left != 0;) {
    const unsigned part = component(few, std::countr_zero(left));
    left &= ~part;
    const std::vector<Vector> polygon = boundary(part);
    const Triangulation t = triangulate(polygon, 0, polygon.size() - 1);
    triangles.insert(triangles.end(), t.triangles.begin(), t.triangles.end());
  }
  return triangles;
}

// ---- the elements of a mask ----

struct ElementMap {
  std::vector<std::uint8_t> code, present;
};

// A mask with a voxel of background around it has a neighbourhood between each two voxels: one less along every axis.
ElementMap element_map(const std::vector<std::uint8_t>& mask, const MaskGrid& padded, const MaskGrid& g) {
  ElementMap m{std::vector<std::uint8_t>(g.voxels()), std::vector<std::uint8_t>(g.voxels())};
  const unsigned full = g.volume ? 255 : 15;
  parallel_for(g.nz, 8, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t z = begin; z < end; ++z)
      for (std::int64_t y = 0; y < g.ny; ++y) {
        const std::uint8_t* low = &mask[(z * padded.ny + y) * padded.nx];
        const std::uint8_t* high = g.volume ? low + padded.ny * padded.nx : nullptr;
        std::uint8_t* code = &m.code[(z * g.ny + y) * g.nx];
        std::uint8_t* present = &m.present[(z * g.ny + y) * g.nx];
        for (std::int64_t x = 0; x < g.nx; ++x) {
          const auto four = [&](const std::uint8_t* at) {
            return at[x] | at[x + 1] << 1 | at[x + padded.nx] << 2 | at[x + padded.nx + 1] << 3;
          };
          const unsigned c = static_cast<unsigned>(four(low) | (high ? four(high) << 4 : 0));
          code[x] = static_cast<std::uint8_t>(c);
          present[x] = c != 0 && c != full;
        }
      }
  });
  return m;
}

double percentile95(const SurfaceElements& e) {
  if (e.distance.empty()) return infinity;
  std::vector<std::size_t> order(e.distance.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return e.distance[a] < e.distance[b]; });
  const double all = std::accumulate(e.area.begin(), e.area.end(), 0.0);
  double below = 0;
  for (const std::size_t i : order) {
    below += e.area[i];
    if (below / all >= 0.95) return e.distance[i];
  }
  return e.distance[order.back()];
}

}  // namespace

std::array<double, 256> element_areas(const std::array<double, 3>& spacing) {
  static const std::array<std::vector<Vector>, 256> table = [] {
    std::array<std::vector<Vector>, 256> t;
    for (unsigned code = 0; code < 256; ++code) t[code] = triangles_of(code);
    return t;
  }();
  const auto [z, y, x] = spacing;
  std::array<double, 256> area{};
  for (unsigned code = 0; code < 256; ++code)
    for (const Vector& v : table[code]) area[code] += length({v[0] * y * x, v[1] * z * x, v[2] * z * y});
  return area;
}

std::array<double, 16> element_lengths(const std::array<double, 3>& spacing) {
  const double corner = std::hypot(spacing[1], spacing[2]) / 2;  // cuts one pixel off
  std::array<double, 16> lengths{};
  for (unsigned code = 1; code < 15; ++code) {
    const unsigned few = std::popcount(code) <= 2 ? code : ~code & 15u;
    if (few == 0b0011 || few == 0b1100)
      lengths[code] = spacing[2];
    else if (few == 0b0101 || few == 0b1010)
      lengths[code] = spacing[1];
    else
      lengths[code] = corner * std::popcount(few);
  }
  return lengths;
}

ElementDistances element_distances(const MaskPair& pair) {
  MaskGrid g = pair.grid;
  g.ny -= 1;
  g.nx -= 1;
  if (g.volume) g.nz -= 1;
  const ElementMap p = element_map(pair.prediction, pair.grid, g), t = element_map(pair.truth, pair.grid, g);
  std::array<double, 256> areas{};
  if (g.volume)
    areas = element_areas(g.spacing);
  else
    std::ranges::copy(element_lengths(g.spacing), areas.begin());
  const auto areas_of = [&](const ElementMap& m) {
    std::vector<double> area;
    for (std::size_t i = 0; i < m.code.size(); ++i)
      if (m.present[i]) area.push_back(areas[m.code[i]]);
    return area;
  };
  return {{distances_to(t.present, p.present, g), areas_of(p)}, {distances_to(p.present, t.present, g), areas_of(t)}};
}

double hd95_area(const ElementDistances& d) { return std::max(percentile95(d.prediction), percentile95(d.truth)); }

double nsd(const ElementDistances& d, double tolerance) {
  double within = 0, all = 0;
  for (const SurfaceElements* e : {&d.prediction, &d.truth})
    for (std::size_t i = 0; i < e->area.size(); ++i) {
      all += e->area[i];
      if (e->distance[i] <= tolerance) within += e->area[i];
    }
  return all > 0 ? within / all : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace gf
