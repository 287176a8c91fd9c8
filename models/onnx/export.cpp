#include "models/onnx/export.h"

#include <fmt/format.h>

#include "engine/autograd.h"
#include "engine/op_trace.h"
#include "kernels/error.h"
#include "models/onnx/translator.h"

namespace gf {
namespace {

// The version of the file format that came with opset 17.
constexpr std::int64_t kIrVersion = 8;

void check_size(const Network& network, const OnnxOptions& o) {
  const auto text = [](ImageSize s) { return fmt::format("{}x{}", s.h, s.w); };
  const ImageSize only = network.image_size();
  if (only != ImageSize{} && only != o.size)
    throw Error(ErrorKind::usage,
                {"the network takes pictures of one size only", o.name, text(only), text(o.size), {}});
  const std::int64_t stride = network.stride();
  if (o.size.h < 1 || o.size.w < 1 || o.size.h % stride != 0 || o.size.w % stride != 0)
    throw Error(ErrorKind::usage, {"the network does not take pictures of this size", o.name,
                                   fmt::format("multiples of {}", stride), text(o.size), "give --size HEIGHTxWIDTH"});
}

}  // namespace

std::string onnx_bytes(const Network& network, const OnnxOptions& o) {
  using namespace onnx_export;
  check_size(network, o);
  const NoGrad off;
  Random unused;  // evaluation mode drops nothing
  const Tensor image = Tensor::zeros({1, o.size.h, o.size.w, o.in_channels});
  const OpTrace trace;
  const Tensor logits = network.forward(image, unused).logits;

  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("graphflow");
  model.add_opset_import()->set_version(kOnnxOpset);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name(o.name);
  GraphBuilder builder(graph);
  std::vector<NamedTensor> weights = network.parameters();
  for (const NamedTensor& b : network.buffers()) weights.push_back(b);
  Translator translator(builder, o.name, weights);
  translator.name(image, kOnnxInput);
  for (const OpTrace::Call& call : trace.calls()) translator.translate(call);
  builder.rename(translator.name_of(logits), kOnnxOutput);
  builder.value(*graph.add_input(), kOnnxInput, {o.in_channels, o.size.h, o.size.w});
  builder.value(*graph.add_output(), kOnnxOutput, {logits.shape().c, o.size.h, o.size.w});
  for (const auto& [key, value] : o.metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  return model.SerializeAsString();
}

}  // namespace gf
