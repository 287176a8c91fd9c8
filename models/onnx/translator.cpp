#include "models/onnx/translator.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "engine/io/file_layout.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/convolution.h"
#include "engine/ops/pooling.h"
#include "engine/ops/resize.h"
#include "kernels/error.h"
#include "models/onnx/axis_matrix.h"

namespace gf::onnx_export {
namespace {

template <class T>
const T& arguments(const OpTrace::Call& c) {
  return std::any_cast<const T&>(c.arguments);
}

Dims picture_dims(const Shape& s) { return {s.n, s.c, s.h, s.w}; }

}  // namespace

Translator::Translator(GraphBuilder& graph, const std::string& network, const std::vector<NamedTensor>& weights)
    : graph_(graph), network_(network) {
  for (const NamedTensor& w : weights) weight_names_[w.tensor.view().data] = w.name;
}

void Translator::cannot(const Call& c, const std::string& why) const {
  throw Error(ErrorKind::usage, {"this network cannot be exported to ONNX",
                                 network_ + ", op " + c.op,
                                 {},
                                 why,
                                 "export one of the other networks"});
}

Translator::Place Translator::place(const Tensor& t) {
  const ConstView v = t.view();
  return {v.data, v.dtype, v.n, v.h, v.w, v.c, v.pixel_stride};
}

void Translator::name(const Tensor& value, const std::string& name) { names_[place(value)] = name; }

std::string Translator::name_of(const Tensor& value) const {
  const auto at = names_.find(place(value));
  return at == names_.end() ? std::string() : at->second;
}

const std::map<std::string, Translator::Rule>& Translator::rules() {
  using T = Translator;
  static const std::map<std::string, Rule> table{{"add", &T::binary},
                                                 {"sub", &T::binary},
                                                 {"mul", &T::binary},
                                                 {"div", &T::binary},
                                                 {"relu", &T::unary},
                                                 {"sigmoid", &T::unary},
                                                 {"relu6", &T::relu6},
                                                 {"scale", &T::scale},
                                                 {"shift", &T::shift},
                                                 {"prelu", &T::prelu},
                                                 {"convolution", &T::convolution},
                                                 {"transposed_convolution", &T::transposed_convolution},
                                                 {"batch_norm", &T::batch_norm},
                                                 {"concat_channels", &T::concat_channels},
                                                 {"max_pool", &T::max_pool},
                                                 {"max_unpool", &T::max_unpool},
                                                 {"adaptive_avg_pool", &T::adaptive_avg_pool},
                                                 {"resize", &T::resize},
                                                 {"sum_to", &T::sum_to}};
  return table;
}

void Translator::translate(const Call& call) {
  const auto rule = rules().find(call.op);
  if (rule == rules().end()) cannot(call, "an op with no translation");
  name(call.output, (this->*rule->second)(call));
}

std::string Translator::input(const Tensor& t) {
  const std::string known = name_of(t);
  return known.empty() ? constant(t, picture_dims(t.shape())) : known;
}

// (n,h,w,c) becomes (n,c,h,w); so do weights, of which files have the order that ONNX has: o,i,kh,kw, transposed ones
// i,o,kh,kw.
std::string Translator::constant(const Tensor& t, const Dims& dims) {
  std::vector<float> values(static_cast<std::size_t>(t.count()));
  to_file_order(t.to_dense(), FileLayout::convolution, values);
  const auto weight = weight_names_.find(t.view().data);
  const std::string name =
      weight != weight_names_.end() ? weight->second : fmt::format("constant_{}", weight_names_.size());
  weight_names_[t.view().data] = name;
  return graph_.constant(name, dims, values);
}

std::string Translator::vector(const Tensor& t) { return t ? constant(t, {t.count()}) : std::string(); }
std::string Translator::slope(const Tensor& t) { return constant(t, {t.count(), 1, 1}); }

std::string Translator::binary(const Call& c) {
  static const std::map<std::string, const char*> types{{"add", "Add"}, {"sub", "Sub"}, {"mul", "Mul"}, {"div", "Div"}};
  return graph_.node(types.at(c.op), c.op, {input(c.inputs[0]), input(c.inputs[1])});
}

std::string Translator::unary(const Call& c) {
  return graph_.node(c.op == "relu" ? "Relu" : "Sigmoid", c.op, {input(c.inputs[0])});
}

std::string Translator::clip6(const std::string& x) {
  return graph_.node("Clip", "relu6", {x, graph_.scalar(0.0f), graph_.scalar(6.0f)});
}
std::string Translator::relu6(const Call& c) { return clip6(input(c.inputs[0])); }

std::string Translator::scale(const Call& c) {
  return graph_.node("Mul", c.op, {input(c.inputs[0]), graph_.scalar(arguments<float>(c))});
}
std::string Translator::shift(const Call& c) {
  return graph_.node("Add", c.op, {input(c.inputs[0]), graph_.scalar(arguments<float>(c))});
}
std::string Translator::prelu(const Call& c) {
  return graph_.node("PRelu", c.op, {input(c.inputs[0]), slope(c.inputs[1])});
}

void Translator::conv_attributes(const ConvolutionShape& p, const Shape& weight) {
  graph_.attribute("kernel_shape", Dims{weight.h, weight.w});
  graph_.attribute("strides", Dims{p.stride_h, p.stride_w});
  graph_.attribute("pads", Dims{p.pad_h, p.pad_w, p.pad_h, p.pad_w});
  graph_.attribute("dilations", Dims{p.dilation_h, p.dilation_w});
  graph_.attribute("group", std::int64_t{p.groups});
}

std::string Translator::convolution(const Call& c) {
  const Tensor& w = c.inputs[1];
  std::vector<std::string> inputs{input(c.inputs[0]), constant(w, picture_dims(w.shape()))};
  if (c.inputs[2]) inputs.push_back(vector(c.inputs[2]));
  const std::string y = graph_.node("Conv", c.op, inputs);
  conv_attributes(arguments<ConvolutionShape>(c), w.shape());
  return y;
}

std::string Translator::transposed_convolution(const Call& c) {
  const auto& a = arguments<TransposedArguments>(c);
  const Tensor& w = c.inputs[1];
  std::vector<std::string> inputs{input(c.inputs[0]), constant(w, picture_dims(w.shape()))};
  if (c.inputs[2]) inputs.push_back(vector(c.inputs[2]));
  const std::string y = graph_.node("ConvTranspose", c.op, inputs);
  conv_attributes(a.shape, w.shape());
  graph_.attribute("output_padding", Dims{a.output_pad, a.output_pad});
  return y;
}

std::string Translator::batch_norm(const Call& c) {
  const auto& a = arguments<BatchNormArguments>(c);
  if (a.training) cannot(c, "batch statistics: the network is in training mode");
  std::string y = graph_.node(
      "BatchNormalization", c.op,
      {input(c.inputs[0]), vector(c.inputs[1]), vector(c.inputs[2]), vector(a.running_mean), vector(a.running_var)});
  graph_.attribute("epsilon", a.shape.eps);
  if (c.inputs[3]) y = graph_.node("Add", "add", {y, input(c.inputs[3])});
  switch (a.shape.act) {
    case NormActivation::none:
      break;
    case NormActivation::relu:
      y = graph_.node("Relu", "relu", {y});
      break;
    case NormActivation::relu6:
      y = clip6(y);
      break;
    case NormActivation::leaky_relu:
      y = graph_.node("LeakyRelu", "leaky_relu", {y});
      graph_.attribute("alpha", a.shape.slope);
      break;
    case NormActivation::prelu:
      y = graph_.node("PRelu", "prelu", {y, slope(c.inputs[4])});
      break;
  }
  return y;
}

// Constant zeros behind the parts are padding: a constant would have one picture, and the batch is free.
std::string Translator::concat_channels(const Call& c) {
  std::vector<std::string> parts;
  std::int64_t zeros = 0;
  for (const Tensor& t : c.inputs) {
    const std::string part = name_of(t);
    if (!part.empty() && zeros == 0) {
      parts.push_back(part);
      continue;
    }
    const std::vector<float> values = t.to_vector();
    if (!part.empty() || std::any_of(values.begin(), values.end(), [](float v) { return v != 0; }))
      cannot(c, "a constant among the parts");
    zeros += t.shape().c;
  }
  std::string y = parts.at(0);
  if (parts.size() > 1) {
    y = graph_.node("Concat", c.op, parts);
    graph_.attribute("axis", std::int64_t{1});
  }
  if (zeros == 0) return y;
  return graph_.node("Pad", "pad_channels",
                     {y, graph_.constant(fmt::format("pad_channels_by_{}", zeros), Dims{0, 0, 0, 0, 0, zeros, 0, 0})});
}

void Translator::pool_attributes(const PoolShape& p) {
  graph_.attribute("kernel_shape", Dims{p.kernel, p.kernel});
  graph_.attribute("strides", Dims{p.stride, p.stride});
  graph_.attribute("pads", Dims{p.pad, p.pad, p.pad, p.pad});
}

std::string Translator::max_pool(const Call& c) {
  const auto& a = arguments<MaxPoolArguments>(c);
  const std::string y = graph_.node("MaxPool", c.op, {input(c.inputs[0])});
  pool_attributes(a.shape);
  name(a.index, graph_.second_output());
  return y;
}

std::string Translator::max_unpool(const Call& c) {
  const auto& a = arguments<MaxPoolArguments>(c);
  const Shape &from = c.inputs[0].shape(), &to = c.output.shape();
  if (to.h != from.h * a.shape.stride || to.w != from.w * a.shape.stride)
    cannot(c, "rows or columns that no window covers");
  const std::string y = graph_.node("MaxUnpool", c.op, {input(c.inputs[0]), name_of(a.index)});
  pool_attributes(a.shape);
  return y;
}

std::string Translator::axis_products(const std::string& op, const Tensor& x, const Shape& to,
                                      const AxisMatrix& matrix) {
  const Shape& from = x.shape();
  std::string y = input(x);
  if (from.h != to.h)
    y = graph_.node(
        "MatMul", op + "_rows",
        {graph_.constant(fmt::format("{}_rows_{}_to_{}", op, from.h, to.h), Dims{to.h, from.h}, matrix(from.h, to.h)),
         y});
  if (from.w != to.w)
    y = graph_.node("MatMul", op + "_columns",
                    {y, graph_.constant(fmt::format("{}_columns_{}_to_{}", op, from.w, to.w), Dims{from.w, to.w},
                                        transposed(matrix(from.w, to.w), to.w, from.w))});
  return y;
}

std::string Translator::adaptive_avg_pool(const Call& c) {
  if (c.inputs[0].shape() == c.output.shape()) return input(c.inputs[0]);
  return axis_products(c.op, c.inputs[0], c.output.shape(), pooling_matrix);
}

// Runtimes work positions out in float32; with a whole factor and these conventions that is exact. Other factors could
// land on the wrong pixel, so they are matrices.
std::string Translator::resize(const Call& c) {
  const auto mode = arguments<ResizeMode>(c);
  const Shape &from = c.inputs[0].shape(), &to = c.output.shape();
  const bool whole = to.h % from.h == 0 && to.w % from.w == 0;
  if (!whole || mode == ResizeMode::bilinear_corners)
    return axis_products(mode == ResizeMode::nearest    ? "resize_nearest"
                         : mode == ResizeMode::bilinear ? "resize_bilinear"
                                                        : "resize_corners",
                         c.inputs[0], to,
                         [mode](std::int64_t in, std::int64_t out) { return resize_matrix(mode, in, out); });
  const std::int64_t by_h = to.h / from.h, by_w = to.w / from.w;
  const float scales[] = {1, 1, static_cast<float>(by_h), static_cast<float>(by_w)};
  const std::string factors = graph_.constant(fmt::format("resize_by_{}x{}", by_h, by_w), Dims{4}, scales);
  const std::string y = graph_.node("Resize", c.op, {input(c.inputs[0]), "", factors});
  const bool nearest = mode == ResizeMode::nearest;
  graph_.attribute("mode", nearest ? "nearest" : "linear");
  graph_.attribute("coordinate_transformation_mode", nearest ? "asymmetric" : "half_pixel");
  if (nearest) graph_.attribute("nearest_mode", "floor");
  return y;
}

std::string Translator::sum_to(const Call& c) {
  const Shape &from = c.inputs[0].shape(), &to = c.output.shape();
  const float alpha = arguments<float>(c);
  Dims axes;
  std::int64_t summed = 1;
  const auto axis = [&](std::int64_t number, std::int64_t in, std::int64_t out) {
    if (in == out) return;
    axes.push_back(number);
    summed *= in;
  };
  axis(1, from.c, to.c);
  axis(2, from.h, to.h);
  axis(3, from.w, to.w);
  const float factor = alpha * static_cast<float>(summed);  // of the mean
  std::string y = graph_.node("ReduceMean", "mean", {input(c.inputs[0])});
  graph_.attribute("axes", axes);
  graph_.attribute("keepdims", std::int64_t{1});
  // 1/n * n is 1 but for the rounding of 1/n.
  if (std::abs(factor - 1.0f) > 1e-6f) y = graph_.node("Mul", "scale", {y, graph_.scalar(factor)});
  return y;
}

}  // namespace gf::onnx_export
