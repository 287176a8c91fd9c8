#include "kernels/variation_graph.h"

#include "kernels/error.h"
#include "tests/harness/kernel_case.h"

namespace gf {
namespace {

using namespace harness;
using Values = std::vector<double>;

enum { kStudentShallow, kStudentDeep, kTeacherShallow, kTeacherDeep };

struct Case {
  std::int64_t n, c, d;
  std::int64_t extra = 0;  // pixel stride beyond D
  Shape shape() const { return {n, 1, c, d}; }
};

// The formulas of the contract, term by term, in double precision.
struct Reference {
  Case t;
  VariationGraphShape p;
  Values v[4];

  double at(int layer, std::int64_t b, std::int64_t i, std::int64_t k) const {
    return v[layer][static_cast<std::size_t>((b * t.c + i) * t.d + k)];
  }
  double edge_of_layer(int layer, std::int64_t b, std::int64_t i, std::int64_t j) const {
    double sum = 0;
    for (std::int64_t k = 0; k < t.d; ++k) {
      const double vi = at(layer, b, i, k), vj = at(layer, b, j, k);
      sum += p.edges == EdgeMode::distance ? (vi - vj) * (vi - vj) : vi * vj;
    }
    return sum;
  }
  double edge(int shallow, int deep, std::int64_t b, std::int64_t i, std::int64_t j) const {
    if (p.edges != EdgeMode::variation) return edge_of_layer(deep, b, i, j) - edge_of_layer(shallow, b, i, j);
    double sum = 0;
    for (std::int64_t k = 0; k < t.d; ++k) {
      sum += (at(deep, b, i, k) - at(shallow, b, i, k)) * (at(deep, b, j, k) - at(shallow, b, j, k));
    }
    return sum;
  }
  double q(std::int64_t b, std::int64_t i, std::int64_t j) const {
    return edge(kStudentShallow, kStudentDeep, b, i, j) - edge(kTeacherShallow, kTeacherDeep, b, i, j);
  }
  double r(std::int64_t b, std::int64_t i, std::int64_t k) const {
    return at(kStudentDeep, b, i, k) - at(kStudentShallow, b, i, k) -
           (at(kTeacherDeep, b, i, k) - at(kTeacherShallow, b, i, k));
  }
  double scale(std::int64_t count) const {
    return p.reduction == GraphReduction::sum ? 1.0 : 1.0 / static_cast<double>(t.n * t.c * count);
  }
  double vertex_loss() const {
    double sum = 0;
    for (std::int64_t b = 0; b < t.n; ++b) {
      for (std::int64_t i = 0; i < t.c; ++i) {
        for (std::int64_t k = 0; k < t.d; ++k) sum += r(b, i, k) * r(b, i, k);
      }
    }
    return scale(t.d) * sum;
  }
  double edge_loss() const {
    double sum = 0;
    for (std::int64_t b = 0; b < t.n; ++b) {
      for (std::int64_t i = 0; i < t.c; ++i) {
        for (std::int64_t j = 0; j < t.c; ++j) sum += q(b, i, j) * q(b, i, j);
      }
    }
    return scale(t.c) * sum;
  }
  // d(vertex_weight * L_vertex + edge_weight * L_edge) / dV of one of the student's layers
  Values gradient(int layer, double vertex_weight, double edge_weight) const {
    const double sign = layer == kStudentDeep ? 1 : -1;
    Values g;
    for (std::int64_t b = 0; b < t.n; ++b) {
      for (std::int64_t i = 0; i < t.c; ++i) {
        Values row(static_cast<std::size_t>(t.d), 0.0);
        for (std::int64_t j = 0; j < t.c; ++j) {
          const double qij = q(b, i, j);
          for (std::int64_t k = 0; k < t.d; ++k) {
            double factor = 4 * at(layer, b, j, k);
            if (p.edges == EdgeMode::variation) factor = 4 * (at(kStudentDeep, b, j, k) - at(kStudentShallow, b, j, k));
            if (p.edges == EdgeMode::distance) factor = 8 * (at(layer, b, i, k) - at(layer, b, j, k));
            row[static_cast<std::size_t>(k)] += scale(t.c) * edge_weight * qij * factor;
          }
        }
        for (std::int64_t k = 0; k < t.d; ++k) {
          const double vertex = scale(t.d) * vertex_weight * 2 * r(b, i, k);
          g.push_back(sign * (vertex + row[static_cast<std::size_t>(k)]));
        }
      }
    }
    return g;
  }
  Values differences(int layer, double vertex_weight, double edge_weight) {
    constexpr double kStep = 1e-4;
    Values g;
    for (double& x : v[layer]) {
      const double centre = x;
      x = centre + kStep;
      const double above = vertex_weight * vertex_loss() + edge_weight * edge_loss();
      x = centre - kStep;
      g.push_back((above - vertex_weight * vertex_loss() - edge_weight * edge_loss()) / (2 * kStep));
      x = centre;
    }
    return g;
  }
};

// Q is a float32 sum of up to 4 * 225 products that cancel; 2.5e-6 was seen.
constexpr double kGradientError = 5e-6;
constexpr float kVertexWeight = 0.75f, kEdgeWeight = -0.03125f;

struct Inputs {
  std::vector<Buffer<>> v;
  explicit Inputs(const Case& t) {
    for (unsigned layer = 0; layer < 4; ++layer) {
      v.push_back(Buffer<>::random(t.shape(), layer % 2 == 0 ? t.extra : 0, layer + 1));
    }
  }
  Reference reference(const Case& t, const VariationGraphShape& p) const {
    return {t, p, {v[0].values(), v[1].values(), v[2].values(), v[3].values()}};
  }
};

template <class Device>
Values forward(const Device& device, const VariationGraphShape& p, const std::vector<Buffer<>>& v) {
  Buffer<> vertex({1, 1, 1, 1}), edge({1, 1, 1, 1});
  variation_graph_forward(device, p, v[0].view(), v[1].view(), v[2].view(), v[3].view(), vertex.view(), edge.view());
  CHECK(vertex.sentinels_intact());
  CHECK(edge.sentinels_intact());
  return {vertex.at(0, 0), edge.at(0, 0)};
}

struct Gradients {
  Buffer<> shallow, deep;
};

template <class Device>
Gradients backward(const Device& device, const Case& t, const VariationGraphShape& p, const std::vector<Buffer<>>& v,
                   double vertex_weight, double edge_weight) {
  const Buffer<> vertex = Buffer<>::of({1, 1, 1, 1}, 0, {vertex_weight});
  const Buffer<> edge = Buffer<>::of({1, 1, 1, 1}, 0, {edge_weight});
  Gradients g{Buffer<>(t.shape(), t.extra), Buffer<>(t.shape())};
  variation_graph_backward(device, p, v[0].view(), v[1].view(), v[2].view(), v[3].view(), vertex.view(), edge.view(),
                           g.shallow.view(), g.deep.view());
  CHECK(g.shallow.sentinels_intact());
  CHECK(g.deep.sentinels_intact());
  return g;
}

template <class Run>
void for_each_shape(const Run& run) {
  for (const EdgeMode edges : {EdgeMode::gram, EdgeMode::variation, EdgeMode::distance}) {
    for (const GraphReduction reduction : {GraphReduction::sum, GraphReduction::mean}) {
      INFO("edges ", static_cast<int>(edges), ", reduction ", static_cast<int>(reduction));
      run(VariationGraphShape{edges, reduction});
    }
  }
}

TEST_CASE("variation graph: losses and gradients") {
  const Case cases[] = {{1, 1, 1},       {2, 1, 9, 3}, {3, 3, 9},      {2, 24, 9, 1}, {1, 31, 25},   {2, 32, 9, 2},
                        {1, 33, 49, 31}, {1, 64, 9},   {1, 5, 225, 1}, {1, 33, 225},  {1, 257, 9, 7}};
  for (const Case& t : cases) {
    CAPTURE(t.shape().str());
    const Inputs in(t);
    for_each_shape([&](const VariationGraphShape& p) {
      const Reference r = in.reference(t, p);
      const double vertex = r.vertex_loss(), edge = r.edge_loss();
      const Values d_shallow = r.gradient(kStudentShallow, kVertexWeight, kEdgeWeight);
      const Values d_deep = r.gradient(kStudentDeep, kVertexWeight, kEdgeWeight);
      on_every_device([&](const auto& device) {
        Values outputs = forward(device, p, in.v);
        CHECK(outputs[0] == doctest::Approx(vertex).epsilon(2e-6));
        CHECK(outputs[1] == doctest::Approx(edge).epsilon(2e-6));
        const Gradients g = backward(device, t, p, in.v, kVertexWeight, kEdgeWeight);
        CHECK(relative_error(g.shallow.values(), d_shallow) < kGradientError);
        CHECK(relative_error(g.deep.values(), d_deep) < kGradientError);
        append(outputs, g.shallow.values());
        append(outputs, g.deep.values());
        return outputs;
      });
    });
  }
}

// More parts than the block that adds them has threads.
TEST_CASE("variation graph: many images") {
  const Case t{259, 1, 2};
  const Inputs in(t);
  const VariationGraphShape p{EdgeMode::gram, GraphReduction::mean};
  const Reference r = in.reference(t, p);
  const double vertex = r.vertex_loss(), edge = r.edge_loss();
  on_every_device([&](const auto& device) {
    const Values losses = forward(device, p, in.v);
    CHECK(losses[0] == doctest::Approx(vertex).epsilon(2e-6));
    CHECK(losses[1] == doctest::Approx(edge).epsilon(2e-6));
    return losses;
  });
}

TEST_CASE("variation graph: gradients against central differences") {
  for (const Case& t : {Case{1, 1, 1}, Case{2, 3, 4}, Case{1, 7, 9, 2}}) {
    CAPTURE(t.shape().str());
    const Inputs in(t);
    for_each_shape([&](const VariationGraphShape& p) {
      Reference r = in.reference(t, p);
      const Values shallow = r.differences(kStudentShallow, kVertexWeight, kEdgeWeight);
      const Values deep = r.differences(kStudentDeep, kVertexWeight, kEdgeWeight);
      on_every_device([&](const auto& device) {
        const Gradients g = backward(device, t, p, in.v, kVertexWeight, kEdgeWeight);
        CHECK(relative_error(g.shallow.values(), shallow) < 1e-5);
        CHECK(relative_error(g.deep.values(), deep) < 1e-5);
        Values outputs = g.shallow.values();
        append(outputs, g.deep.values());
        return outputs;
      });
    });
  }
}

TEST_CASE("variation graph: a student equal to its teacher has losses and gradients of exactly zero") {
  const Case t{2, 33, 9, 1};
  Inputs in(t);
  in.v[kTeacherShallow] = in.v[kStudentShallow];
  in.v[kTeacherDeep] = in.v[kStudentDeep];
  for_each_shape([&](const VariationGraphShape& p) {
    on_every_device([&](const auto& device) {
      Values outputs = forward(device, p, in.v);
      const Gradients g = backward(device, t, p, in.v, 1, 1);
      append(outputs, g.shallow.values());
      append(outputs, g.deep.values());
      for (const double x : outputs) REQUIRE(x == 0);
      return outputs;
    });
  });
}

// The published scale: factors three times as large as a unit-variance student's give edge losses of order 1e8.
TEST_CASE("variation graph: losses of order 1e8 keep their digits") {
  const Case t{8, 64, 81};
  Inputs in(t);
  for (unsigned layer = 0; layer < 4; ++layer) in.v[layer] = Buffer<>::random(t.shape(), 0, layer + 7, -4, 4);
  const VariationGraphShape p;
  const Reference r = in.reference(t, p);
  const double vertex = r.vertex_loss(), edge = r.edge_loss();
  CHECK(edge > 1e8);
  on_every_device([&](const auto& device) {
    const Values losses = forward(device, p, in.v);
    CHECK(losses[0] == doctest::Approx(vertex).epsilon(1e-6));
    CHECK(losses[1] == doctest::Approx(edge).epsilon(1e-6));
    return losses;
  });
}

TEST_CASE("variation graph: arguments that do not fit are refused by name") {
  Buffer<> v({1, 1, 3, 4}), other({1, 1, 3, 5}), scalar({1, 1, 1, 1});
  CHECK_THROWS_WITH_AS(variation_graph_forward(Cpu{workspace}, {}, v.view(), v.view(), other.view(), v.view(),
                                               scalar.view(), scalar.view()),
                       doctest::Contains("teacher_shallow"), Error);
  CHECK_THROWS_WITH_AS(
      variation_graph_forward(Cpu{workspace}, {}, v.view(), v.view(), v.view(), v.view(), scalar.view(), v.view()),
      doctest::Contains("edge_loss"), Error);
}

}  // namespace
}  // namespace gf
