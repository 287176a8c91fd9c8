// Graph Flow and the paraphraser against PyTorch (tests/golden/make_graph_flow.py, make_models.py).
#include <doctest/doctest.h>

#include "distill/graph_flow.h"
#include "distill/paraphraser.h"
#include "engine/autograd.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/losses.h"
#include "kernels/error.h"
#include "tests/harness/golden.h"

using namespace gf;
using namespace gf::test;

TEST_CASE("Graph Flow: loss terms and gradients, every salience, edge mode and reduction") {
  const SafetensorsFile file = golden_file("graph_flow");
  int compared = 0;
  for (const char* salience_name : {"peak", "window", "absolute"})
    for (const int k : {3, 5})
      for (const char* edges : {"gram", "variation", "distance"})
        for (const char* reduction : {"sum", "mean"}) {
          const std::string which = std::string(salience_name) + "_k" + std::to_string(k);
          const std::string key = which + "/" + edges + "_" + reduction + "/";
          if (!file.find(key + "vertex_loss")) continue;
          INFO(key);
          // The cases but peak have one value changed that would tie (README).
          const bool peak = std::string(salience_name) == "peak";
          const auto map = [&](const char* side) {
            Tensor t = golden_tensor(file, std::string("maps/") + side);
            if (!peak)
              for (std::int64_t b = 0; b < t.shape().n; ++b)
                t.mutable_data()[((b * t.shape().h + 3) * t.shape().w + 2) * t.shape().c + 2] = 0.25f;
            return t;
          };
          GraphFlowOptions options;
          options.salience = {k, std::string(salience_name) == "window" ? SalienceMode::window : SalienceMode::peak,
                              std::string(salience_name) == "absolute"};
          options.graph.edges = std::string(edges) == "gram"        ? EdgeMode::gram
                                : std::string(edges) == "variation" ? EdgeMode::variation
                                                                    : EdgeMode::distance;
          options.graph.reduction = std::string(reduction) == "sum" ? GraphReduction::sum : GraphReduction::mean;
          Tensor shallow = map("student_shallow"), deep = map("student_deep");
          shallow.require_grad();
          deep.require_grad();
          const VariationGraphLoss loss =
              graph_flow_loss({shallow, deep}, {map("teacher_shallow"), map("teacher_deep")}, options);
          CHECK(loss.vertex.item() == doctest::Approx(file.floats(key + "vertex_loss")[0]).epsilon(1e-5));
          CHECK(loss.edge.item() == doctest::Approx(file.floats(key + "edge_loss")[0]).epsilon(1e-5));
          const std::vector<float> w = file.floats(key + "weights");
          backward(w[0] * loss.vertex + w[1] * loss.edge);
          CHECK(relative_error(shallow.grad(), golden_tensor(file, key + "grad_student_shallow")) < 1e-5);
          CHECK(relative_error(deep.grad(), golden_tensor(file, key + "grad_student_deep")) < 1e-5);
          ++compared;
        }
  CHECK(compared >= 18);
}

TEST_CASE("Graph Flow works on maps of different size and refuses different channels") {
  const GraphFlowMaps student{Tensor::full({2, 8, 6, 4}, 1), Tensor::full({2, 4, 3, 4}, 2)};
  const GraphFlowMaps teacher{Tensor::full({2, 5, 5, 4}, 1), Tensor::full({2, 9, 9, 4}, 2)};
  CHECK(graph_flow_loss(student, teacher, {}).vertex.item() >= 0);
  CHECK_THROWS_WITH_AS(graph_flow_loss(student, {Tensor::zeros({2, 5, 5, 3}), teacher.deep}, {}),
                       doctest::Contains("paraphrasers"), Error);
}

TEST_CASE("paraphraser: factors, reconstruction, gradients, sizes") {
  const SafetensorsFile file = golden_file("paraphraser");
  Paraphraser p({}, 12, 5);
  for (const NamedTensor& t : p.parameters()) {
    const Tensor v = golden_parameter(file, "parameters/" + t.name, t);
    std::copy(v.data(), v.data() + v.count(), t.tensor.mutable_data());
  }
  const Tensor x = golden_tensor(file, "input");
  CHECK(relative_error(p.encode(x), golden_tensor(file, "factors")) < 1e-5);
  const Tensor reconstruction = p.reconstruct(x);
  CHECK(relative_error(reconstruction, golden_tensor(file, "reconstruction")) < 1e-5);
  const Tensor loss = mse_loss(reconstruction, x);
  CHECK(loss.item() == doctest::Approx(file.floats("loss")[0]).epsilon(1e-5));
  backward(loss);
  for (const NamedTensor& t : p.parameters()) {
    INFO(t.name);
    CHECK(relative_error(t.tensor.grad(), golden_parameter(file, "grad/" + t.name, t)) < 1e-5);
  }
  CHECK(Paraphraser({}, 256, 24).parameter_count() == 1'301'448);
  CHECK(Paraphraser({}, 256, 64).parameter_count() == 1'549'248);
}
