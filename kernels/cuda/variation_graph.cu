// Variation graph on the GPU (contract: kernels/variation_graph.h): from the four salience matrices of every image to
// vertex and edge loss, and to both gradients.
//
//   R = dV_S - dV_T                      L_vertex = s_v sum R^2       dL/dV_deep = 2 s_v R          (shallow: -)
//   Q = dE_S - dE_T, C x C               L_edge   = s_e sum Q^2       dL/dV_deep = 4 s_e Q V_deep   (shallow: -), or
//   the same with dV, or 8 s_e sum_j Q_ij (v_i - v_j): see the contract's edge modes
//
// Memory traffic: the four matrices, 4 * 4 * n*C*D bytes, and two more written by the gradient; the matrices are small
// (C = 64, D = 9: 9 KB an image), stay in the second-level cache, and are read again by every block. Q is never stored:
// in the forward pass a value of Q lives in a register until it is squared, in the backward pass eight rows of Q live
// in shared memory until they are multiplied by V. The work, 8 n C C D operations forward (half of that for the edges
// of the variation) and as many again backward, is at most a few hundred million: a few microseconds at the
// arithmetic's rate, so launches and latency are the floor.
//
// A block owns eight rows i of one image's Q and walks over its columns in tiles of 32: thread (x,y) computes
// Q[i0+y][j0+x] from pieces of 32 columns of V staged in shared memory. Student and teacher are summed by the same code
// in the same order, so equal networks give exactly zero. Partial losses are added pairwise in a fixed order.
#include "kernels/variation_graph.h"

#include "kernels/check.h"
#include "kernels/cuda/block_sum.h"
#include "kernels/launch.h"

namespace gf {
namespace {

constexpr int kRows = 8;
constexpr int kColumns = 32;
constexpr int kDepth = 32;          // columns of V staged at once
constexpr int kPitch = kDepth + 1;  // so that a column of the stage touches 32 different banks
constexpr int kStage = (kRows + kColumns) * kPitch;
constexpr int kThreads = kRows * kColumns;
constexpr std::size_t kSharedBytes = 48 * 1024;  // what every GPU has without asking

// One network's two matrices, image by image.
struct Network {
  const float *shallow, *deep;
  std::int64_t shallow_stride, deep_stride;
};

struct Graphs {
  Network student, teacher;
  int c, d;
  EdgeMode edges;

  __device__ float shallow(const Network& net, std::int64_t image, int i, int k) const {
    return net.shallow[(image * c + i) * net.shallow_stride + k];
  }
  __device__ float deep(const Network& net, std::int64_t image, int i, int k) const {
    return net.deep[(image * c + i) * net.deep_stride + k];
  }
  __device__ float difference(const Network& net, std::int64_t image, int i, int k) const {
    return deep(net, image, i, k) - shallow(net, image, i, k);
  }
  // R, element k of row i
  __device__ float vertex_difference(std::int64_t image, int i, int k) const {
    return difference(student, image, i, k) - difference(teacher, image, i, k);
  }
};

enum class Term { deep, shallow, difference };

// An element of one term's matrix, zero outside.
__device__ inline float element(const Graphs& g, const Network& net, Term term, std::int64_t image, int i, int k) {
  if (i >= g.c || k >= g.d) return 0.0f;
  switch (term) {
    case Term::deep:
      return g.deep(net, image, i, k);
    case Term::shallow:
      return g.shallow(net, image, i, k);
    case Term::difference:
      return g.difference(net, image, i, k);
  }
  return 0.0f;
}

// One term of an edge, for thread (x,y) the one of rows i0+y and j0+x: sum_k a_k b_k, or sum_k (a_k - b_k)^2.
template <class Stage>
__device__ float edge_term(const Graphs& g, const Network& net, Term term, std::int64_t image, int i0, int j0,
                           Stage stage) {
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const auto rows = stage;
  const auto columns = stage + kRows * kPitch;
  float sum = 0;
  for (int k0 = 0; k0 < g.d; k0 += kDepth) {
    rows[y * kPitch + x] = element(g, net, term, image, i0 + y, k0 + x);
    for (int j = y; j < kColumns; j += kRows) {
      columns[j * kPitch + x] = element(g, net, term, image, j0 + j, k0 + x);
    }
    __syncthreads();
    const int depth = min(kDepth, g.d - k0);
    float piece = 0;  // short sums added up lose fewer digits than one long one
    for (int k = 0; k < depth; ++k) {
      const float a = rows[y * kPitch + k], b = columns[x * kPitch + k];
      piece += g.edges == EdgeMode::distance ? (a - b) * (a - b) : a * b;
    }
    sum += piece;
    __syncthreads();
  }
  return sum;
}

// An edge of one network's variation graph.
template <class Stage>
__device__ float network_edge(const Graphs& g, const Network& net, std::int64_t image, int i0, int j0, Stage stage) {
  if (g.edges == EdgeMode::variation) return edge_term(g, net, Term::difference, image, i0, j0, stage);
  const float deep = edge_term(g, net, Term::deep, image, i0, j0, stage);
  return deep - edge_term(g, net, Term::shallow, image, i0, j0, stage);
}

// Q[i0+y][j0+x] for thread (x,y); zero outside the matrix.
template <class Stage>
__device__ float edge_difference(const Graphs& g, std::int64_t image, int i0, int j0, Stage stage) {
  const float student = network_edge(g, g.student, image, i0, j0, stage);
  const float teacher = network_edge(g, g.teacher, image, i0, j0, stage);
  const bool inside = i0 + static_cast<int>(threadIdx.y) < g.c && j0 + static_cast<int>(threadIdx.x) < g.c;
  return inside ? student - teacher : 0.0f;
}

struct Sums {
  float vertex, edge;
};

// Block (b, image): the part of both losses that belongs to rows 8b .. 8b+7.
__global__ void gf_variation_graph_rows_kernel(Graphs g, Sums* parts) {
  GF_SHARED(float, stage, kStage);
  GF_SHARED(float, scratch, kThreads / 32);
  const std::int64_t image = blockIdx.y;
  const int i0 = static_cast<int>(blockIdx.x) * kRows, i = i0 + static_cast<int>(threadIdx.y);
  float vertex = 0, edge = 0;
  if (i < g.c) {
    for (int k = static_cast<int>(threadIdx.x); k < g.d; k += kColumns) {
      const float r = g.vertex_difference(image, i, k);
      vertex += r * r;
    }
  }
  for (int j0 = 0; j0 < g.c; j0 += kColumns) {
    const float q = edge_difference(g, image, i0, j0, stage);
    edge += q * q;
  }
  const Sums sums{block_sum(vertex, scratch), block_sum(edge, scratch)};
  if (threadIdx.x == 0 && threadIdx.y == 0) parts[image * gridDim.x + blockIdx.x] = sums;
}

// One block: all parts, scaled.
__global__ void gf_variation_graph_total_kernel(const Sums* parts, std::int64_t count, Sums scale, float* vertex_loss,
                                                float* edge_loss) {
  GF_SHARED(float, scratch, kThreads / 32);
  Sums mine{0, 0};
  for (std::int64_t b = threadIdx.x; b < count; b += kThreads) {
    mine.vertex += parts[b].vertex;
    mine.edge += parts[b].edge;
  }
  const Sums total{block_sum(mine.vertex, scratch), block_sum(mine.edge, scratch)};
  if (threadIdx.x != 0) return;
  *vertex_loss = scale.vertex * total.vertex;
  *edge_loss = scale.edge * total.edge;
}

struct Gradient {
  float *shallow, *deep;
  std::int64_t shallow_stride, deep_stride;
};

// Block (b, image): rows 8b .. 8b+7 of both gradients. First those rows of Q, then one thread an element of Q times V.
__global__ void gf_variation_graph_gradient_kernel(Graphs g, Sums scale, const float* vertex_weight,
                                                   const float* edge_weight, Gradient out) {
  GF_DYN_SHARED(float, memory);
  const auto stage = memory;
  const auto q = memory + kStage;  // kRows x c
  const std::int64_t image = blockIdx.y;
  const int i0 = static_cast<int>(blockIdx.x) * kRows, x = static_cast<int>(threadIdx.x);
  const int y = static_cast<int>(threadIdx.y);
  for (int j0 = 0; j0 < g.c; j0 += kColumns) {
    const float value = edge_difference(g, image, i0, j0, stage);
    if (j0 + x < g.c) q[y * g.c + j0 + x] = value;
  }
  __syncthreads();
  const float vertex = 2 * scale.vertex * *vertex_weight;
  const float edge = (g.edges == EdgeMode::distance ? 8 : 4) * scale.edge * *edge_weight;
  for (int e = y * kColumns + x; e < min(kRows, g.c - i0) * g.d; e += kThreads) {
    const int row = e / g.d, k = e % g.d, i = i0 + row;
    const float deep_i = g.deep(g.student, image, i, k), shallow_i = g.shallow(g.student, image, i, k);
    float to_deep = 0, to_shallow = 0;
    for (int j = 0; j < g.c; ++j) {
      const float qij = q[row * g.c + j];
      const float deep_j = g.deep(g.student, image, j, k), shallow_j = g.shallow(g.student, image, j, k);
      switch (g.edges) {
        case EdgeMode::gram:
          to_deep += qij * deep_j;
          to_shallow += qij * shallow_j;
          break;
        case EdgeMode::variation:
          to_deep += qij * (deep_j - shallow_j);
          to_shallow = to_deep;
          break;
        case EdgeMode::distance:
          to_deep += qij * (deep_i - deep_j);
          to_shallow += qij * (shallow_i - shallow_j);
          break;
      }
    }
    const float r = vertex * g.vertex_difference(image, i, k);
    const std::int64_t vertex_row = image * g.c + i;
    out.deep[vertex_row * out.deep_stride + k] = r + edge * to_deep;
    out.shallow[vertex_row * out.shallow_stride + k] = -r - edge * to_shallow;
  }
}

// Checked arguments in the kernels' form, and the launch they share.
struct Problem {
  Graphs graphs;
  LaunchSize grid, block;
  Sums scale;
};

Problem make_problem(const char* kernel, const VariationGraphShape& p, const ConstView& ss, const ConstView& sd,
                     const ConstView& ts, const ConstView& td) {
  check_variation_graph(kernel, ss, sd, ts, td);
  const std::int64_t n = ss.n, c = ss.w, d = ss.c;
  constexpr std::int64_t kMost = (kSharedBytes / sizeof(float) - kStage) / kRows;
  if (n > 65535 || c > kMost || d > 0xffff) {
    fail(std::string(kernel) + ": too large", describe("student_shallow", ss),
         "at most 65535 images, " + std::to_string(kMost) + " rows, 65535 columns");
  }
  const auto network = [](const ConstView& shallow, const ConstView& deep) {
    return Network{data_as<float>(shallow), data_as<float>(deep), shallow.pixel_stride, deep.pixel_stride};
  };
  const bool sum = p.reduction == GraphReduction::sum;
  const double rows = static_cast<double>(n) * static_cast<double>(c);
  return {{network(ss, sd), network(ts, td), static_cast<int>(c), static_cast<int>(d), p.edges},
          {blocks_for(c, kRows), n},
          {kColumns, kRows},
          {sum ? 1.0f : static_cast<float>(1 / (rows * static_cast<double>(d))),
           sum ? 1.0f : static_cast<float>(1 / (rows * static_cast<double>(c)))}};
}

}  // namespace

void variation_graph_forward(const Gpu& gpu, const VariationGraphShape& p, ConstView student_shallow,
                             ConstView student_deep, ConstView teacher_shallow, ConstView teacher_deep,
                             View vertex_loss, View edge_loss) {
  const char* const kernel = "variation_graph_forward";
  const Problem problem = make_problem(kernel, p, student_shallow, student_deep, teacher_shallow, teacher_deep);
  require_scalar(kernel, "vertex_loss", vertex_loss);
  require_scalar(kernel, "edge_loss", edge_loss);
  const std::int64_t count = problem.grid.x * problem.grid.y;
  Sums* parts = take_workspace<Sums>(gpu, kernel, count);
  launch(gpu, gf_variation_graph_rows_kernel, problem.grid, problem.block, 0, problem.graphs, parts);
  launch(gpu, gf_variation_graph_total_kernel, 1, kThreads, 0, parts, count, problem.scale, data_as<float>(vertex_loss),
         data_as<float>(edge_loss));
}

void variation_graph_backward(const Gpu& gpu, const VariationGraphShape& p, ConstView student_shallow,
                              ConstView student_deep, ConstView teacher_shallow, ConstView teacher_deep,
                              ConstView vertex_weight, ConstView edge_weight, View d_shallow, View d_deep) {
  const char* const kernel = "variation_graph_backward";
  const Problem problem = make_problem(kernel, p, student_shallow, student_deep, teacher_shallow, teacher_deep);
  require_scalar(kernel, "vertex_weight", vertex_weight);
  require_scalar(kernel, "edge_weight", edge_weight);
  require_view(kernel, "d_shallow", d_shallow);
  require_same_shape(kernel, "student_shallow", student_shallow, "d_shallow", d_shallow);
  require_view(kernel, "d_deep", d_deep);
  require_same_shape(kernel, "student_shallow", student_shallow, "d_deep", d_deep);
  const auto shared_floats = static_cast<std::size_t>(kStage + kRows * problem.graphs.c);
  const Gradient out{data_as<float>(d_shallow), data_as<float>(d_deep), d_shallow.pixel_stride, d_deep.pixel_stride};
  launch(gpu, gf_variation_graph_gradient_kernel, problem.grid, problem.block, shared_floats * sizeof(float),
         problem.graphs, problem.scale, data_as<float>(vertex_weight), data_as<float>(edge_weight), out);
}

}  // namespace gf
