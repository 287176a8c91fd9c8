#pragma once
// Puts an ONNX graph together: nodes in order, constants, names that are unique. Values are named by strings.
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

namespace gf::onnx_export {

using Dims = std::vector<std::int64_t>;

class GraphBuilder {
 public:
  explicit GraphBuilder(onnx::GraphProto& graph) : graph_(graph) {}

  // A node with one result, which is named after `op` and counted; returns that name. Optional inputs that are not
  // given are "". Attributes are added to `last()`.
  std::string node(const std::string& type, const std::string& op, const std::vector<std::string>& inputs);
  onnx::NodeProto& last() { return *graph_.mutable_node(graph_.node_size() - 1); }
  std::string second_output();  // of the last node

  void attribute(const char* name, float value);
  void attribute(const char* name, std::int64_t value);
  void attribute(const char* name, const char* value);
  void attribute(const char* name, const Dims& values);

  // Constants. The same name must mean the same values.
  std::string constant(const std::string& name, const Dims& dims, std::span<const float> values);
  std::string constant(const std::string& name, std::span<const std::int64_t> values);
  std::string scalar(float value);

  void value(onnx::ValueInfoProto& info, const std::string& name, const Dims& picture);  // (batch, picture...)
  void rename(const std::string& from, const std::string& to);

 private:
  onnx::AttributeProto& add(const char* name, onnx::AttributeProto::AttributeType type);
  onnx::TensorProto* new_constant(const std::string& name, const Dims& dims);

  onnx::GraphProto& graph_;
  std::map<std::string, int> counts_;
  std::map<std::string, Dims> constants_;
};

}  // namespace gf::onnx_export
