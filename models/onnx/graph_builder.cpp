#include "models/onnx/graph_builder.h"

#include <fmt/format.h>

#include "kernels/error.h"

namespace gf::onnx_export {

std::string GraphBuilder::node(const std::string& type, const std::string& op, const std::vector<std::string>& inputs) {
  const std::string name = fmt::format("{}_{}", op, ++counts_[op]);
  onnx::NodeProto& n = *graph_.add_node();
  n.set_name(name);
  n.set_op_type(type);
  for (const std::string& input : inputs) n.add_input(input);
  n.add_output(name);
  return name;
}

std::string GraphBuilder::second_output() {
  const std::string name = last().name() + "_indices";
  last().add_output(name);
  return name;
}

onnx::AttributeProto& GraphBuilder::add(const char* name, onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& a = *last().add_attribute();
  a.set_name(name);
  a.set_type(type);
  return a;
}

void GraphBuilder::attribute(const char* name, float value) { add(name, onnx::AttributeProto::FLOAT).set_f(value); }
void GraphBuilder::attribute(const char* name, std::int64_t value) {
  add(name, onnx::AttributeProto::INT).set_i(value);
}
void GraphBuilder::attribute(const char* name, const char* value) {
  add(name, onnx::AttributeProto::STRING).set_s(value);
}
void GraphBuilder::attribute(const char* name, const Dims& values) {
  onnx::AttributeProto& a = add(name, onnx::AttributeProto::INTS);
  for (const std::int64_t v : values) a.add_ints(v);
}

onnx::TensorProto* GraphBuilder::new_constant(const std::string& name, const Dims& dims) {
  const auto [at, fresh] = constants_.emplace(name, dims);
  if (!fresh) {
    if (at->second != dims) fail("a constant of the ONNX graph has two shapes", name);
    return nullptr;
  }
  onnx::TensorProto* t = graph_.add_initializer();
  t->set_name(name);
  for (const std::int64_t d : dims) t->add_dims(d);
  return t;
}

std::string GraphBuilder::constant(const std::string& name, const Dims& dims, std::span<const float> values) {
  if (onnx::TensorProto* t = new_constant(name, dims)) {
    t->set_data_type(onnx::TensorProto::FLOAT);
    t->set_raw_data(values.data(), values.size_bytes());  // little endian, as every processor we run on
  }
  return name;
}

std::string GraphBuilder::constant(const std::string& name, std::span<const std::int64_t> values) {
  if (onnx::TensorProto* t = new_constant(name, {static_cast<std::int64_t>(values.size())})) {
    t->set_data_type(onnx::TensorProto::INT64);
    t->set_raw_data(values.data(), values.size_bytes());
  }
  return name;
}

std::string GraphBuilder::scalar(float value) {
  return constant(fmt::format("scalar_{}", value), {}, std::span(&value, 1));
}

void GraphBuilder::value(onnx::ValueInfoProto& info, const std::string& name, const Dims& picture) {
  info.set_name(name);
  onnx::TypeProto::Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  for (const std::int64_t d : picture) type.mutable_shape()->add_dim()->set_dim_value(d);
}

void GraphBuilder::rename(const std::string& from, const std::string& to) {
  for (onnx::NodeProto& n : *graph_.mutable_node()) {
    for (std::string& input : *n.mutable_input())
      if (input == from) input = to;
    for (std::string& output : *n.mutable_output())
      if (output == from) output = to;
  }
}

}  // namespace gf::onnx_export
