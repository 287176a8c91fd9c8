#pragma once
#include "models/onnx/node_reader.h"

namespace gf::onnx_export {

// The node's results, in its order. Refuses by name an op it does not know.
std::vector<Tensor> run_node(NodeReader& node);

}  // namespace gf::onnx_export
