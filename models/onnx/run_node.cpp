// What each ONNX op means in ours. ONNX maps are (n,c,h,w), ours (n,h,w,c).
#include "models/onnx/run_node.h"

#include <algorithm>

#include "engine/ops/activation.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/batch_norm.h"
#include "engine/ops/convolution.h"
#include "engine/ops/matmul.h"
#include "engine/ops/pooling.h"
#include "engine/ops/resize.h"
#include "engine/ops/shape.h"

namespace gf::onnx_export {
namespace {

using Result = std::vector<Tensor>;

ConvolutionShape convolution_shape(NodeReader& n, const Tensor& w) {
  const auto kernel = n.list("kernel_shape"), strides = n.list("strides"), pads = n.list("pads"),
             dilations = n.list("dilations");
  if (kernel != std::vector<std::int64_t>{w.shape().h, w.shape().w}) n.refuse("the weight's kernel_shape", "another");
  if (strides.size() != 2 || pads.size() != 4 || dilations.size() != 2 || pads[0] != pads[2] || pads[1] != pads[3])
    n.refuse("two strides and dilations, the same pads on both sides", "others");
  const auto as_int = [](std::int64_t v) { return static_cast<int>(v); };
  return {as_int(strides[0]),   as_int(strides[1]),   as_int(pads[0]),           as_int(pads[1]),
          as_int(dilations[0]), as_int(dilations[1]), as_int(n.integer("group"))};
}

Result conv(NodeReader& n) {
  const Tensor w = n.weight(1);
  return {convolution(n.map(0), w, n.vector(2), convolution_shape(n, w))};
}

Result conv_transpose(NodeReader& n) {
  const Tensor w = n.weight(1);
  return {transposed_convolution(n.map(0), w, n.vector(2), convolution_shape(n, w), n.same("output_padding"))};
}

Result batch_normalization(NodeReader& n) {
  BatchNormShape p;
  p.eps = n.number("epsilon");
  return {batch_norm(n.map(0), n.vector(1), n.vector(2), n.vector(3), n.vector(4), p, false)};
}

Result clip(NodeReader& n) {
  if (n.floats(1) != std::vector<float>{0} || n.floats(2) != std::vector<float>{6}) n.refuse("0 to 6", "other limits");
  return {relu6(n.map(0))};
}

// (c,1,1) is read as (1,c,1,1).
Result p_relu(NodeReader& n) { return {prelu(n.map(0), n.map(1))}; }

Result concat(NodeReader& n) {
  if (n.integer("axis") != 1) n.refuse("axis 1", "another");
  std::vector<Tensor> parts;
  for (int i = 0; n.given(i); ++i) parts.push_back(n.map(i));
  return {concat_channels(parts)};
}

Result pad(NodeReader& n) {
  const Tensor x = n.map(0);
  std::vector<std::int64_t> pads = n.integers(1);
  if (pads.size() != 8) n.refuse("eight pads", std::to_string(pads.size()));
  const std::int64_t channels = pads[5];
  pads[5] = 0;
  if (std::any_of(pads.begin(), pads.end(), [](std::int64_t v) { return v != 0; })) n.refuse("channels only", "others");
  const Shape& s = x.shape();
  return {concat_channels({x, Tensor::zeros({s.n, s.h, s.w, channels})})};
}

PoolShape pool_shape(NodeReader& n) { return {n.same("kernel_shape"), n.same("strides"), n.same("pads")}; }

// The index is ours, the place in one picture; ONNX counts through the whole batch. Only MaxUnpool reads it.
Result max_pool_node(NodeReader& n) {
  const MaxPooled p = max_pool_with_index(n.map(0), pool_shape(n));
  return {p.values, p.index};
}

Result max_unpool_node(NodeReader& n) {
  const Tensor x = n.map(0);
  const PoolShape p = pool_shape(n);
  const Shape& s = x.shape();
  return {max_unpool(x, n.map(1), p, {s.n, s.h * p.stride, s.w * p.stride, s.c})};
}

// A X for every picture and channel: one product, with the channels of a row beside each other.
Tensor times_rows(const Tensor& matrix, const Tensor& x) {
  const Shape& s = x.shape();
  const Tensor y = matmul(matrix, reshape(x, {s.n, 1, s.h, s.w * s.c}));
  return reshape(y, {s.n, matrix.shape().w, s.w, s.c});
}

Result mat_mul(NodeReader& n) {
  if (n.is_constant(0)) return {times_rows(n.matrix(0), n.map(1))};
  // X B = (B^T X^T)^T
  const Tensor b = n.matrix(1);
  const Tensor transposed_matrix =
      reshape(swap_height_width(reshape(b, {1, b.shape().w, b.shape().c, 1})), {1, 1, b.shape().c, b.shape().w});
  return {swap_height_width(times_rows(transposed_matrix, swap_height_width(n.map(0))))};
}

Result reduce_mean(NodeReader& n) {
  const Tensor x = n.map(0);
  if (n.integer("keepdims") != 1) n.refuse("keepdims 1", "another");
  Shape to = x.shape();
  for (const std::int64_t axis : n.list("axes")) {
    if (axis < 1 || axis > 3) n.refuse("axes 1 to 3", std::to_string(axis));
    (axis == 1 ? to.c : axis == 2 ? to.h : to.w) = 1;
  }
  return {sum_to(x, to, static_cast<float>(to.count()) / static_cast<float>(x.count()))};
}

Result resize_node(NodeReader& n) {
  const Tensor x = n.map(0);
  const std::vector<float> scales = n.floats(2);
  if (scales.size() != 4 || scales[0] != 1 || scales[1] != 1) n.refuse("scales of height and width", "others");
  const std::string mode = n.text("mode"), positions = n.text("coordinate_transformation_mode");
  const bool nearest = mode == "nearest" && positions == "asymmetric" && n.text("nearest_mode") == "floor";
  if (!nearest && !(mode == "linear" && positions == "half_pixel"))
    n.refuse("nearest or linear", mode + ", " + positions);
  const auto times = [](std::int64_t extent, float by) {
    return static_cast<std::int64_t>(static_cast<float>(extent) * by);
  };
  return {resize(x, times(x.shape().h, scales[2]), times(x.shape().w, scales[3]),
                 nearest ? ResizeMode::nearest : ResizeMode::bilinear)};
}

Result leaky(NodeReader& n) { return {leaky_relu(n.map(0), n.number("alpha"))}; }

const std::map<std::string, Result (*)(NodeReader&)>& table() {
  static const std::map<std::string, Result (*)(NodeReader&)> ops{
      {"Add", [](NodeReader& n) -> Result { return {n.map(0) + n.map(1)}; }},
      {"Sub", [](NodeReader& n) -> Result { return {n.map(0) - n.map(1)}; }},
      {"Mul", [](NodeReader& n) -> Result { return {n.map(0) * n.map(1)}; }},
      {"Div", [](NodeReader& n) -> Result { return {n.map(0) / n.map(1)}; }},
      {"Relu", [](NodeReader& n) -> Result { return {relu(n.map(0))}; }},
      {"Sigmoid", [](NodeReader& n) -> Result { return {sigmoid(n.map(0))}; }},
      {"LeakyRelu", leaky},
      {"Clip", clip},
      {"PRelu", p_relu},
      {"Conv", conv},
      {"ConvTranspose", conv_transpose},
      {"BatchNormalization", batch_normalization},
      {"Concat", concat},
      {"Pad", pad},
      {"MaxPool", max_pool_node},
      {"MaxUnpool", max_unpool_node},
      {"MatMul", mat_mul},
      {"ReduceMean", reduce_mean},
      {"Resize", resize_node}};
  return ops;
}

}  // namespace

std::vector<Tensor> run_node(NodeReader& node) {
  const auto op = table().find(node.type());
  if (op == table().end()) node.refuse("an op that exports use", node.type());
  Result r = op->second(node);
  node.finish();
  return r;
}

}  // namespace gf::onnx_export
