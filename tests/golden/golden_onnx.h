#pragma once
// The networks whose exports have golden outputs: those of make_models.py, with its parameters.
// tests/golden/export_onnx writes the files that make_onnx.py runs with onnxruntime, tests/onnx makes them again.
#include <memory>
#include <string>

#include "engine/io/weights.h"
#include "models/network.h"
#include "models/onnx/export.h"
#include "tests/harness/golden_folder.h"

namespace gf::test {

struct GoldenExport {
  const char* name;
  double width;
  ImageSize size;
};
// FANet's sizes make strip pooling grids that divide neither height nor width.
constexpr GoldenExport kGoldenExports[] = {{"fanet", 0.05, {24, 40}},
                                           {"mobile_unet", 0.11, {32, 96}},
                                           {"enet", 0.2, {32, 64}},
                                           {"erfnet", 0.12, {32, 64}},
                                           {"unet", 0.035, {32, 64}}};

inline std::unique_ptr<Network> exported_network(const GoldenExport& g) {
  auto network = make_network(g.name, {.in_channels = 1, .classes = 3, .width = g.width, .dropout = 0});
  load_weights(*network, golden_folder() + g.name + "_parameters.safetensors");
  network->eval();
  return network;
}

inline OnnxOptions export_options(const GoldenExport& g) {
  return {g.name, 1, g.size, {{"class.0", "background"}, {"class.1", "left \"ear\""}, {"class.2", "Ohr ö"}}};
}

}  // namespace gf::test
