#pragma once
// From the ops a network ran (engine/op_trace.h) to the nodes of an ONNX graph.
#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "engine/nn/module.h"
#include "engine/op_trace.h"
#include "kernels/convolution.h"
#include "kernels/pooling.h"
#include "models/onnx/graph_builder.h"

namespace gf::onnx_export {

class Translator {
 public:
  // A tensor that no op made is a constant: one of `weights`, under its name, or one without.
  Translator(GraphBuilder& graph, const std::string& network, const std::vector<NamedTensor>& weights);

  void name(const Tensor& value, const std::string& name);  // says what a value is called
  std::string name_of(const Tensor& value) const;           // "" for one that no op made
  // Throws ErrorKind::usage, naming the op, for one that has no translation.
  void translate(const OpTrace::Call& call);

 private:
  using Call = OpTrace::Call;
  using Rule = std::string (Translator::*)(const Call&);
  static const std::map<std::string, Rule>& rules();
  [[noreturn]] void cannot(const Call& c, const std::string& why) const;

  std::string binary(const Call& c);
  std::string unary(const Call& c);
  std::string relu6(const Call& c);
  std::string scale(const Call& c);
  std::string shift(const Call& c);
  std::string prelu(const Call& c);
  std::string convolution(const Call& c);
  std::string transposed_convolution(const Call& c);
  std::string batch_norm(const Call& c);
  std::string concat_channels(const Call& c);
  std::string max_pool(const Call& c);
  std::string max_unpool(const Call& c);
  std::string adaptive_avg_pool(const Call& c);
  std::string resize(const Call& c);
  std::string sum_to(const Call& c);

  // Where a value lies and what it looks like there: views of one buffer are values of their own.
  using Place = std::tuple<const void*, DType, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>;
  static Place place(const Tensor& t);

  std::string input(const Tensor& t);                       // as (n, c, h, w)
  std::string constant(const Tensor& t, const Dims& dims);  // its values in that order, channels before rows
  std::string vector(const Tensor& t);                      // (1,1,1,c) as (c)
  std::string slope(const Tensor& t);                       // prelu's
  void conv_attributes(const ConvolutionShape& p, const Shape& weight);
  void pool_attributes(const PoolShape& p);
  using AxisMatrix = std::function<std::vector<float>(std::int64_t in, std::int64_t out)>;
  std::string axis_products(const std::string& op, const Tensor& x, const Shape& to, const AxisMatrix& matrix);
  std::string clip6(const std::string& x);

  GraphBuilder& graph_;
  std::string network_;  // for messages
  std::map<const void*, std::string> weight_names_;
  std::map<Place, std::string> names_;
};

}  // namespace gf::onnx_export
