#include "models/onnx/onnx_file.h"

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <fstream>

#include "engine/autograd.h"
#include "kernels/error.h"
#include "models/onnx/export.h"
#include "models/onnx/run_node.h"

namespace gf {

struct OnnxFile::Model {
  onnx::ModelProto proto;
  std::map<std::string, int> last_use;  // by which node; what is not in here is needed to the end
};

OnnxFile::OnnxFile(const std::string& path) : model_(std::make_unique<Model>()), path_(path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) bad_data("cannot read ONNX file", path, "a file that can be read", "none");
  if (!model_->proto.ParseFromIstream(&file)) bad_data("cannot read ONNX file", path, "an ONNX model", "other bytes");
  try {
    onnx::checker::check_model(model_->proto);
    onnx::ModelProto inferred = model_->proto;
    onnx::shape_inference::InferShapes(inferred, onnx::OpSchemaRegistry::Instance(),
                                       onnx::ShapeInferenceOptions(/*check_type=*/true, /*strict_mode=*/1));
  } catch (const std::exception& e) {
    bad_data("ONNX's checker refuses the file", path, {}, e.what());
  }
  const onnx::GraphProto& graph = model_->proto.graph();
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string& input : graph.node(i).input()) model_->last_use[input] = i;
}

OnnxFile::~OnnxFile() = default;

Tensor OnnxFile::run(const Tensor& x) const {
  const NoGrad off;
  const onnx::GraphProto& graph = model_->proto.graph();
  std::map<std::string, onnx_export::Value> values;
  for (const onnx::TensorProto& t : graph.initializer()) values[t.name()].constant = &t;
  values[kOnnxInput].map = x;
  for (int i = 0; i < graph.node_size(); ++i) {
    const onnx::NodeProto& node = graph.node(i);
    onnx_export::NodeReader reader(node, values, path_);
    const std::vector<Tensor> results = onnx_export::run_node(reader);
    for (int k = 0; k < node.output_size(); ++k) values[node.output(k)].map = results.at(static_cast<std::size_t>(k));
    for (const std::string& input : node.input())
      if (model_->last_use.at(input) == i) values[input].map = {};
  }
  return values.at(kOnnxOutput).map;
}

std::map<std::string, std::string> OnnxFile::metadata() const {
  std::map<std::string, std::string> m;
  for (const auto& entry : model_->proto.metadata_props()) m[entry.key()] = entry.value();
  return m;
}

int OnnxFile::nodes() const { return model_->proto.graph().node_size(); }

}  // namespace gf
