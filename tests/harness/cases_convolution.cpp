#include "engine/ops/convolution.h"
#include "tests/harness/op_case.h"
#include "tests/harness/reference.h"

namespace gf::test {
namespace {

struct Layer {
  const char* name;
  Shape x, w;
  ConvolutionShape p;
};

ConvolutionShape square(int stride, int pad, int dilation = 1, int groups = 1) {
  return {stride, stride, pad, pad, dilation, dilation, groups};
}

const std::vector<Layer>& layers() {
  static const std::vector<Layer> list{
      {"one pixel, one channel", {1, 1, 1, 1}, {1, 1, 1, 1}, square(1, 0)},
      {"3x3", {2, 5, 6, 4}, {3, 3, 3, 4}, square(1, 1)},
      {"3x3 on one pixel", {2, 1, 1, 3}, {5, 3, 3, 3}, square(1, 1)},
      {"3x3 without padding", {1, 5, 4, 2}, {3, 3, 3, 2}, square(1, 0)},
      {"3x3, 31 to 33 channels", {1, 4, 3, 31}, {33, 3, 3, 31}, square(1, 1)},
      {"1x1, 33 to 31 channels", {2, 3, 4, 33}, {31, 1, 1, 33}, square(1, 0)},
      {"1x1 to one class", {1, 4, 5, 8}, {1, 1, 1, 8}, square(1, 0)},
      {"first layer, 1 channel", {2, 6, 5, 1}, {8, 3, 3, 1}, square(1, 1)},
      {"5x5", {1, 6, 7, 3}, {4, 5, 5, 3}, square(1, 2)},
      {"1x3", {1, 4, 6, 3}, {4, 1, 3, 3}, {1, 1, 0, 1}},
      {"3x1", {1, 4, 6, 3}, {4, 3, 1, 3}, {1, 1, 1, 0}},
      {"3x3 stride 2, odd image", {2, 7, 5, 4}, {6, 3, 3, 4}, square(2, 1)},
      {"3x3 stride 2, even image", {1, 8, 6, 4}, {6, 3, 3, 4}, square(2, 1)},
      {"1x1 stride 2", {1, 5, 6, 4}, {3, 1, 1, 4}, square(2, 0)},
      {"2x3, strides 2 and 1", {1, 7, 5, 3}, {2, 2, 3, 3}, {2, 1, 0, 1}},
      {"3x3 dilation 2", {1, 7, 6, 3}, {4, 3, 3, 3}, square(1, 2, 2)},
      {"two groups", {1, 5, 4, 8}, {6, 3, 3, 4}, square(1, 1, 1, 2)},
      {"three groups of one", {2, 4, 4, 3}, {6, 3, 3, 1}, square(1, 1, 1, 3)},
      {"depthwise 33", {1, 5, 4, 33}, {33, 3, 3, 1}, square(1, 1, 1, 33)},
      {"depthwise 16 stride 2", {2, 6, 5, 16}, {16, 3, 3, 1}, square(2, 1, 1, 16)},
      {"depthwise 8 dilation 2", {1, 6, 6, 8}, {8, 3, 3, 1}, square(1, 2, 2, 8)},
  };
  return list;
}

double products(const Shape& y, const Shape& w) { return 2.0 * static_cast<double>(y.count() * w.h * w.w * w.c); }

OpCase forward_case(const Layer& l, bool bias) {
  std::vector<Input> inputs{in(l.x), dense(l.w)};
  if (bias) inputs.push_back(dense({1, 1, 1, l.w.n}));
  return {.op = "convolution",
          .variant = std::string(l.name) + (bias ? ", bias" : ""),
          .inputs = inputs,
          .run = [=, p = l.p](const Tensors& x) { return convolution(x[0], x[1], bias ? x[2] : Tensor(), p); },
          .reference =
              [=, p = l.p](const Arrays& x) { return reference::convolution(x[0], x[1], bias ? &x[2] : nullptr, p); },
          .flops = products(convolution_output(l.x, l.w, l.p), l.w)};
}

OpCase input_grad_case(const Layer& l) {
  const Shape y = convolution_output(l.x, l.w, l.p);
  return {
      .op = "convolution_input_grad",
      .variant = l.name,
      .inputs = {in(y), dense(l.w)},
      .run = [s = l.x, p = l.p](const Tensors& x) { return convolution_input_grad(x[0], x[1], s, p); },
      .reference = [s = l.x, p = l.p](const Arrays& x) { return reference::convolution_input_grad(x[0], x[1], s, p); },
      .flops = products(y, l.w)};
}

OpCase weight_grad_case(const Layer& l) {
  const Shape y = convolution_output(l.x, l.w, l.p);
  return {
      .op = "convolution_weight_grad",
      .variant = l.name,
      .inputs = {in(l.x), in(y)},
      .run = [s = l.w, p = l.p](const Tensors& x) { return convolution_weight_grad(x[0], x[1], s, p); },
      .reference = [s = l.w, p = l.p](const Arrays& x) { return reference::convolution_weight_grad(x[0], x[1], s, p); },
      .dense_upstream = true,
      .flops = products(y, l.w)};
}

OpCase transposed_case(const Layer& l, bool bias, int output_pad = 0) {
  std::vector<Input> inputs{in(l.x), dense(l.w)};
  if (bias) inputs.push_back(dense({1, 1, 1, l.w.c * l.p.groups}));
  return {.op = "transposed_convolution",
          .variant = std::string(l.name) + (bias ? ", bias" : ""),
          .inputs = inputs,
          .run =
              [=, p = l.p](const Tensors& x) {
                return transposed_convolution(x[0], x[1], bias ? x[2] : Tensor(), p, output_pad);
              },
          .reference =
              [=, p = l.p](const Arrays& x) {
                return reference::transposed_convolution(x[0], x[1], bias ? &x[2] : nullptr, p, output_pad);
              },
          .flops = 2.0 * static_cast<double>(l.x.count() * l.w.h * l.w.w * l.w.c)};
}

}  // namespace

OpCases convolution_cases() {
  OpCases cases;
  for (const Layer& l : layers()) {
    cases.push_back(forward_case(l, true));
    cases.push_back(forward_case(l, false));
    cases.push_back(input_grad_case(l));
    cases.push_back(weight_grad_case(l));
  }
  return cases;
}

OpCases transposed_convolution_cases() {
  OpCases cases;
  for (const bool bias : {true, false}) {
    cases.push_back(transposed_case({"one pixel, one channel", {1, 1, 1, 1}, {1, 1, 1, 1}, square(1, 0)}, bias));
    cases.push_back(transposed_case({"2x2 stride 2", {2, 3, 4, 5}, {5, 2, 2, 3}, square(2, 0)}, bias));
    cases.push_back(
        transposed_case({"2x2 stride 2, 33 to 31 channels", {1, 3, 2, 33}, {33, 2, 2, 31}, square(2, 0)}, bias));
    cases.push_back(transposed_case({"4x4 stride 2", {1, 3, 4, 5}, {5, 4, 4, 3}, square(2, 1)}, bias));
    cases.push_back(
        transposed_case({"3x3 stride 2, output padding", {1, 3, 4, 4}, {4, 3, 3, 2}, square(2, 1)}, bias, 1));
    cases.push_back(transposed_case({"3x3 stride 1", {1, 4, 3, 4}, {4, 3, 3, 2}, square(1, 1)}, bias));
    cases.push_back(
        transposed_case({"2x2 stride 2, two groups", {1, 3, 3, 4}, {4, 2, 2, 3}, square(2, 0, 1, 2)}, bias));
  }
  return cases;
}

}  // namespace gf::test
