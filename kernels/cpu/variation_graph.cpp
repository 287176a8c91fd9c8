#include "kernels/variation_graph.h"

#include "kernels/check.h"
#include "kernels/cpu/scratch.h"
#include "kernels/parallel.h"

namespace gf {

void check_variation_graph(const char* kernel, const ConstView& student_shallow, const ConstView& student_deep,
                           const ConstView& teacher_shallow, const ConstView& teacher_deep) {
  const Shape s = student_shallow.shape();
  if (s.h != 1 || s.count() < 1) {
    fail(std::string(kernel) + ": wrong extents", describe("student_shallow", student_shallow), "[n,1,C,D], none zero");
  }
  require_view(kernel, "student_shallow", student_shallow);
  require_view(kernel, "student_deep", student_deep);
  require_same_shape(kernel, "student_shallow", student_shallow, "student_deep", student_deep);
  require_view(kernel, "teacher_shallow", teacher_shallow);
  require_same_shape(kernel, "student_shallow", student_shallow, "teacher_shallow", teacher_shallow);
  require_view(kernel, "teacher_deep", teacher_deep);
  require_same_shape(kernel, "student_shallow", student_shallow, "teacher_deep", teacher_deep);
}

namespace {

// Q is computed in tiles of kRows x kColumns that stay in registers; its C x C matrix is never stored.
constexpr int kRows = 4;
constexpr int kColumns = 16;

enum Layer { kStudentShallow, kStudentDeep, kTeacherShallow, kTeacherDeep, kLayers };

// A part of both losses.
struct Sums {
  double vertex, edge;
};

// The four matrices of every image, and a copy of them turned to D x C (C padded with zeros to whole tiles) so that
// neighbouring columns of Q are neighbours in memory. For the edges of the variation, the copy of a deep layer holds
// deep - shallow.
struct Graphs {
  ConstView layer[kLayers];
  EdgeMode edges;
  std::int64_t n, c, d;
  std::int64_t row_blocks;  // an image's blocks of kRows rows: the pieces of parallel work
  std::int64_t padded_c;
  float* turned;
  Sums* sums;  // one of each piece

  Graphs(const Cpu& cpu, const char* kernel, EdgeMode mode, const ConstView& ss, const ConstView& sd,
         const ConstView& ts, const ConstView& td)
      : layer{ss, sd, ts, td},
        edges(mode),
        n(ss.n),
        c(ss.w),
        d(ss.c),
        row_blocks((c + kRows - 1) / kRows),
        padded_c((c + kColumns - 1) / kColumns * kColumns) {
    using cpu::Scratch;
    const std::int64_t floats = n * kLayers * d * padded_c;
    Scratch scratch(cpu, kernel, Scratch::bytes<float>(floats) + Scratch::bytes<Sums>(pieces()));
    turned = scratch.take<float>(floats);
    sums = scratch.take<Sums>(pieces());
    parallel_for(n * kLayers, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) turn(i / kLayers, static_cast<int>(i % kLayers));
    });
  }

  std::int64_t pieces() const { return n * row_blocks; }
  const float* row(int l, std::int64_t image, std::int64_t i) const {
    return data_as<float>(layer[l]) + (image * c + i) * layer[l].pixel_stride;
  }
  float* turned_layer(int l, std::int64_t image) const { return turned + (image * kLayers + l) * d * padded_c; }

 private:
  void turn(std::int64_t image, int l) {
    const bool is_variation = edges == EdgeMode::variation && (l == kStudentDeep || l == kTeacherDeep);
    float* out = turned_layer(l, image);
    for (std::int64_t i = 0; i < c; ++i) {
      const float* v = row(l, image, i);
      const float* shallow = is_variation ? row(l - 1, image, i) : nullptr;
      for (std::int64_t k = 0; k < d; ++k) out[k * padded_c + i] = is_variation ? v[k] - shallow[k] : v[k];
    }
    for (std::int64_t k = 0; k < d; ++k) std::fill(out + k * padded_c + c, out + (k + 1) * padded_c, 0.0f);
  }
};

struct Tile {
  alignas(64) float v[kRows][kColumns];
};

// tile += sign * edges of one layer, for rows i0.. and columns j0..
template <bool kDistance, int kSign>
inline void add_edges(Tile& tile, const float* turned, std::int64_t d, std::int64_t stride, std::int64_t i0,
                      std::int64_t j0) {
  Tile sum = tile;
  for (std::int64_t k = 0; k < d; ++k) {
    const float* a = turned + k * stride + i0;
    const float* b = turned + k * stride + j0;
    for (int r = 0; r < kRows; ++r) {
#pragma omp simd
      for (int j = 0; j < kColumns; ++j) {
        const float delta = a[r] - b[j];
        const float edge = kDistance ? delta * delta : a[r] * b[j];
        sum.v[r][j] += kSign > 0 ? edge : -edge;
      }
    }
  }
  tile = sum;
}

// The edges of one network's variation graph.
inline void network_edges(Tile& tile, const Graphs& g, int shallow, int deep, std::int64_t image, std::int64_t i0,
                          std::int64_t j0) {
  tile = {};
  const float* deep_turned = g.turned_layer(deep, image);
  const float* shallow_turned = g.turned_layer(shallow, image);
  if (g.edges == EdgeMode::distance) {
    add_edges<true, 1>(tile, deep_turned, g.d, g.padded_c, i0, j0);
    add_edges<true, -1>(tile, shallow_turned, g.d, g.padded_c, i0, j0);
  } else {
    add_edges<false, 1>(tile, deep_turned, g.d, g.padded_c, i0, j0);
    if (g.edges == EdgeMode::gram) add_edges<false, -1>(tile, shallow_turned, g.d, g.padded_c, i0, j0);
  }
}

// Q = dE_S - dE_T. Both networks are summed in the same order, so equal networks give exactly zero.
inline void edge_difference(Tile& q, const Graphs& g, std::int64_t image, std::int64_t i0, std::int64_t j0) {
  Tile teacher;
  network_edges(q, g, kStudentShallow, kStudentDeep, image, i0, j0);
  network_edges(teacher, g, kTeacherShallow, kTeacherDeep, image, i0, j0);
  for (int r = 0; r < kRows; ++r) {
    for (int j = 0; j < kColumns; ++j) q.v[r][j] -= teacher.v[r][j];
  }
}

// R_i = dV_S - dV_T at element k.
inline float vertex_difference(const Graphs& g, std::int64_t image, std::int64_t i, std::int64_t k) {
  return (g.row(kStudentDeep, image, i)[k] - g.row(kStudentShallow, image, i)[k]) -
         (g.row(kTeacherDeep, image, i)[k] - g.row(kTeacherShallow, image, i)[k]);
}

double vertex_scale(const Graphs& g, GraphReduction r) {
  return r == GraphReduction::sum ? 1.0 : 1.0 / (static_cast<double>(g.n) * g.c * g.d);
}
double edge_scale(const Graphs& g, GraphReduction r) {
  return r == GraphReduction::sum ? 1.0 : 1.0 / (static_cast<double>(g.n) * g.c * g.c);
}

// The part of both losses that belongs to the rows i0 .. i1 of one image.
Sums sum_rows(const Graphs& g, std::int64_t image, std::int64_t i0, std::int64_t i1) {
  Sums sums{};
  for (std::int64_t i = i0; i < i1; ++i) {
    for (std::int64_t k = 0; k < g.d; ++k) {
      const double r = vertex_difference(g, image, i, k);
      sums.vertex += r * r;
    }
  }
  Tile q;
  for (std::int64_t j0 = 0; j0 < g.c; j0 += kColumns) {
    edge_difference(q, g, image, i0, j0);
    const std::int64_t columns = std::min<std::int64_t>(kColumns, g.c - j0);
    for (std::int64_t r = 0; r < i1 - i0; ++r) {
      for (std::int64_t j = 0; j < columns; ++j) sums.edge += static_cast<double>(q.v[r][j]) * q.v[r][j];
    }
  }
  return sums;
}

// Adds weight * sum_j Q_ij dE_ij/dV to row i of both gradients, for the columns of one tile.
template <EdgeMode kEdges>
void add_edge_gradient(const Graphs& g, std::int64_t image, std::int64_t i, std::int64_t j0, const float* q,
                       float weight, float* d_shallow, float* d_deep) {
  const std::int64_t columns = std::min<std::int64_t>(kColumns, g.c - j0);
  const float* shallow_i = g.row(kStudentShallow, image, i);
  const float* deep_i = g.row(kStudentDeep, image, i);
  for (std::int64_t j = 0; j < columns; ++j) {
    const float s = (kEdges == EdgeMode::distance ? 8 : 4) * weight * q[j];
    const float* shallow = g.row(kStudentShallow, image, j0 + j);
    const float* deep = g.row(kStudentDeep, image, j0 + j);
#pragma omp simd
    for (std::int64_t k = 0; k < g.d; ++k) {
      if constexpr (kEdges == EdgeMode::gram) {
        d_deep[k] += s * deep[k];
        d_shallow[k] -= s * shallow[k];
      } else if constexpr (kEdges == EdgeMode::variation) {
        d_deep[k] += s * (deep[k] - shallow[k]);
        d_shallow[k] -= s * (deep[k] - shallow[k]);
      } else {
        d_deep[k] += s * (deep_i[k] - deep[k]);
        d_shallow[k] -= s * (shallow_i[k] - shallow[k]);
      }
    }
  }
}

using EdgeGradient = decltype(&add_edge_gradient<EdgeMode::gram>);

EdgeGradient edge_gradient(EdgeMode edges) {
  switch (edges) {
    case EdgeMode::gram:
      return add_edge_gradient<EdgeMode::gram>;
    case EdgeMode::variation:
      return add_edge_gradient<EdgeMode::variation>;
    case EdgeMode::distance:
      break;
  }
  return add_edge_gradient<EdgeMode::distance>;
}

}  // namespace

void variation_graph_forward(const Cpu& cpu, const VariationGraphShape& p, ConstView student_shallow,
                             ConstView student_deep, ConstView teacher_shallow, ConstView teacher_deep,
                             View vertex_loss, View edge_loss) {
  const char* const kernel = "variation_graph_forward";
  check_variation_graph(kernel, student_shallow, student_deep, teacher_shallow, teacher_deep);
  require_scalar(kernel, "vertex_loss", vertex_loss);
  require_scalar(kernel, "edge_loss", edge_loss);
  const Graphs g(cpu, kernel, p.edges, student_shallow, student_deep, teacher_shallow, teacher_deep);
  parallel_for(g.pieces(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t i0 = b % g.row_blocks * kRows;
      g.sums[b] = sum_rows(g, b / g.row_blocks, i0, std::min(i0 + kRows, g.c));
    }
  });
  Sums total{};
  for (std::int64_t b = 0; b < g.pieces(); ++b) {
    total.vertex += g.sums[b].vertex;
    total.edge += g.sums[b].edge;
  }
  *data_as<float>(vertex_loss) = static_cast<float>(vertex_scale(g, p.reduction) * total.vertex);
  *data_as<float>(edge_loss) = static_cast<float>(edge_scale(g, p.reduction) * total.edge);
}

void variation_graph_backward(const Cpu& cpu, const VariationGraphShape& p, ConstView student_shallow,
                              ConstView student_deep, ConstView teacher_shallow, ConstView teacher_deep,
                              ConstView vertex_weight, ConstView edge_weight, View d_shallow, View d_deep) {
  const char* const kernel = "variation_graph_backward";
  check_variation_graph(kernel, student_shallow, student_deep, teacher_shallow, teacher_deep);
  require_scalar(kernel, "vertex_weight", vertex_weight);
  require_scalar(kernel, "edge_weight", edge_weight);
  require_view(kernel, "d_shallow", d_shallow);
  require_same_shape(kernel, "student_shallow", student_shallow, "d_shallow", d_shallow);
  require_view(kernel, "d_deep", d_deep);
  require_same_shape(kernel, "student_shallow", student_shallow, "d_deep", d_deep);
  const Graphs g(cpu, kernel, p.edges, student_shallow, student_deep, teacher_shallow, teacher_deep);
  const float vertex = static_cast<float>(vertex_scale(g, p.reduction) * *data_as<float>(vertex_weight));
  const float edge = static_cast<float>(edge_scale(g, p.reduction) * *data_as<float>(edge_weight));
  const EdgeGradient add_gradient = edge_gradient(p.edges);
  parallel_for(g.pieces(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = begin; b < end; ++b) {
      const std::int64_t image = b / g.row_blocks, i0 = b % g.row_blocks * kRows, i1 = std::min(i0 + kRows, g.c);
      const auto out = [&](const View& v, std::int64_t i) {
        return data_as<float>(v) + (image * g.c + i) * v.pixel_stride;
      };
      for (std::int64_t i = i0; i < i1; ++i) {
        for (std::int64_t k = 0; k < g.d; ++k) {
          const float r = 2 * vertex * vertex_difference(g, image, i, k);
          out(d_deep, i)[k] = r;
          out(d_shallow, i)[k] = -r;
        }
      }
      Tile q;
      for (std::int64_t j0 = 0; j0 < g.c; j0 += kColumns) {
        edge_difference(q, g, image, i0, j0);
        for (std::int64_t i = i0; i < i1; ++i) {
          add_gradient(g, image, i, j0, q.v[i - i0], edge, out(d_shallow, i), out(d_deep, i));
        }
      }
    }
  });
}

}  // namespace gf
