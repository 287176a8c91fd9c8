#include "models/onnx/node_reader.h"

#include <algorithm>
#include <cstring>

#include "engine/io/file_layout.h"
#include "kernels/error.h"

namespace gf::onnx_export {

void NodeReader::refuse(const std::string& expected, const std::string& found) const {
  bad_data("cannot run an ONNX node", file_ + ", node " + node_.name() + " (" + node_.op_type() + ")", expected, found);
}

const Value& NodeReader::value(int i) const {
  if (!given(i)) refuse("input " + std::to_string(i), "none");
  const auto at = values_.find(node_.input(i));
  if (at == values_.end()) refuse("a value that exists", node_.input(i));
  return at->second;
}

std::vector<float> NodeReader::floats(int i) const {
  const onnx::TensorProto* t = value(i).constant;
  if (!t || t->data_type() != onnx::TensorProto::FLOAT) refuse("float constants", node_.input(i));
  std::size_t count = 1;
  for (const std::int64_t d : t->dims()) count *= static_cast<std::size_t>(d);
  if (t->raw_data().size() != count * sizeof(float)) refuse("raw data of its shape", node_.input(i));
  std::vector<float> values(count);
  std::memcpy(values.data(), t->raw_data().data(), t->raw_data().size());
  return values;
}

std::vector<std::int64_t> NodeReader::integers(int i) const {
  const onnx::TensorProto* t = value(i).constant;
  if (!t || t->data_type() != onnx::TensorProto::INT64 || t->dims_size() != 1 ||
      t->raw_data().size() != static_cast<std::size_t>(t->dims(0)) * sizeof(std::int64_t))
    refuse("a list of integers", node_.input(i));
  std::vector<std::int64_t> values(static_cast<std::size_t>(t->dims(0)));
  std::memcpy(values.data(), t->raw_data().data(), t->raw_data().size());
  return values;
}

Tensor NodeReader::map(int i) const {
  const Value& v = value(i);
  if (!v.constant) return v.map;
  std::vector<std::int64_t> dims(v.constant->dims().begin(), v.constant->dims().end());
  if (dims.size() > 4) refuse("at most four axes", node_.input(i));
  dims.insert(dims.begin(), 4 - dims.size(), 1);
  const Tensor t = Tensor::empty({dims[0], dims[2], dims[3], dims[1]});
  from_file_order(floats(i), FileLayout::convolution, t);
  return t;
}

Tensor NodeReader::vector(int i) const {
  if (!given(i)) return {};
  const std::vector<float> v = floats(i);
  return Tensor::from(v, {1, 1, 1, static_cast<std::int64_t>(v.size())});
}

Tensor NodeReader::matrix(int i) const {
  const std::vector<float> v = floats(i);
  const onnx::TensorProto& t = *value(i).constant;
  if (t.dims_size() != 2) refuse("a matrix", node_.input(i));
  return Tensor::from(v, {1, 1, t.dims(0), t.dims(1)});
}

bool NodeReader::has(const char* name) const {
  return std::any_of(node_.attribute().begin(), node_.attribute().end(),
                     [&](const auto& a) { return a.name() == name; });
}

const onnx::AttributeProto& NodeReader::attribute(const char* name) {
  read_.insert(name);
  for (const onnx::AttributeProto& a : node_.attribute())
    if (a.name() == name) return a;
  refuse(std::string("attribute ") + name, "none");
}

float NodeReader::number(const char* name) { return attribute(name).f(); }
std::int64_t NodeReader::integer(const char* name) { return attribute(name).i(); }
std::string NodeReader::text(const char* name) { return attribute(name).s(); }
std::vector<std::int64_t> NodeReader::list(const char* name) {
  const auto& ints = attribute(name).ints();
  return {ints.begin(), ints.end()};
}

int NodeReader::same(const char* name) {
  const std::vector<std::int64_t> v = list(name);
  if (v.empty() || std::any_of(v.begin(), v.end(), [&](std::int64_t x) { return x != v[0]; }))
    refuse(std::string(name) + " all alike", "different ones");
  return static_cast<int>(v[0]);
}

void NodeReader::finish() const {
  for (const onnx::AttributeProto& a : node_.attribute())
    if (!read_.count(a.name())) refuse("no attribute " + a.name(), a.name());
}

}  // namespace gf::onnx_export
