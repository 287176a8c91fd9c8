#pragma once
// A node's attributes and inputs as they are asked for. What nobody asked for is an error: an attribute that is not
// looked at cannot have been obeyed.
#include <map>
#include <set>
#include <string>
#include <vector>

#include <onnx/onnx_pb.h>

#include "engine/tensor.h"

namespace gf::onnx_export {

// A value while a graph runs: a map (n,h,w,c), or a constant with the shape and the order it has in the file.
struct Value {
  Tensor map;
  const onnx::TensorProto* constant = nullptr;
};

class NodeReader {
 public:
  NodeReader(const onnx::NodeProto& node, const std::map<std::string, Value>& values, const std::string& file)
      : node_(node), values_(values), file_(file) {}

  const std::string& type() const { return node_.op_type(); }
  bool given(int i) const { return i < node_.input_size() && !node_.input(i).empty(); }
  bool is_constant(int i) const { return value(i).constant; }

  Tensor map(int i) const;  // a map; a constant of up to four axes becomes one, (n,c,h,w) -> (n,h,w,c)
  Tensor weight(int i) const { return map(i); }  // o,i,kh,kw -> (o,kh,kw,i)
  Tensor vector(int i) const;                    // (c) -> (1,1,1,c); empty where it is not given
  Tensor matrix(int i) const;                    // (rows, columns) -> (1,1,rows,columns)
  std::vector<float> floats(int i) const;        // of a constant
  std::vector<std::int64_t> integers(int i) const;

  float number(const char* name);
  std::int64_t integer(const char* name);
  std::string text(const char* name);
  // An attribute that is all one number is that number: strides [2,2] of a square window.
  std::vector<std::int64_t> list(const char* name);
  int same(const char* name);
  bool has(const char* name) const;

  void finish() const;  // nothing may be left
  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const;

 private:
  const Value& value(int i) const;
  const onnx::AttributeProto& attribute(const char* name);

  const onnx::NodeProto& node_;
  const std::map<std::string, Value>& values_;
  const std::string& file_;
  std::set<std::string> read_;
};

}  // namespace gf::onnx_export
