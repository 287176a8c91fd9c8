#include "kernels/depthwise.h"

#include <algorithm>

#include "kernels/check.h"

namespace gf {

bool is_depthwise(const ConvolutionShape& p, const Shape& x, const Shape& w) {
  return p.groups > 1 && p.groups == x.c && w.n == x.c && w.c == 1 && std::max(w.h, w.w) <= 5 &&
         std::max(p.stride_h, p.stride_w) <= 2 && std::min(x.h, x.w) > 0;
}

void check_depthwise(const char* kernel, const ConvolutionShape& p, const ConstView& x, const ConstView& w,
                     const ConstView& y, const ConstView& bias) {
  require_float(kernel, "x", x);
  require_like(kernel, "y", y, x);
  require_float(kernel, "w", w);
  require_dense(kernel, "w", w);
  const auto require = [&](bool fits, const char* expected) {
    if (!fits) fail(std::string(kernel) + ": not this family's", describe(x.shape(), w.shape(), p), expected);
  };
  require(p.groups == x.c && w.n == x.c && w.c == 1, "as many groups and kernels as channels, w (c,kh,kw,1)");
  require(std::min(x.h, x.w) > 0, "an image of at least one pixel");
  require(std::max(w.h, w.w) <= 5, "a kernel of at most 5x5");
  require(std::max(p.stride_h, p.stride_w) <= 2, "strides of 1 or 2");
  const Shape expected = convolution_output(x.shape(), w.shape(), p);
  if (y.shape() != expected)
    fail(std::string(kernel) + ": wrong shape", describe(x.shape(), w.shape(), p), "y " + expected.str(),
         y.shape().str());
  if (bias.data) require_vector(kernel, "bias", bias, x.c);
}

void depthwise_forward(const Cpu& cpu, const ConvolutionShape& p, ConstView x, ConstView w, ConstView bias, View y) {
  check_depthwise("depthwise_forward", p, x, w, y, bias);
  require_like("depthwise_forward", "w", w, x);
  convolution_forward(cpu, p, x, w, bias, y);
}

void depthwise_input_grad(const Cpu& cpu, const ConvolutionShape& p, ConstView dy, ConstView w, View dx) {
  check_depthwise("depthwise_input_grad", p, dx, w, dy, {});
  require_like("depthwise_input_grad", "w", w, dx);
  convolution_input_grad(cpu, p, dy, w, {}, dx);
}

void depthwise_weight_grad(const Cpu& cpu, const ConvolutionShape& p, ConstView x, ConstView dy, View dw, View db) {
  check_depthwise("depthwise_weight_grad", p, x, dw, dy, db);
  convolution_weight_grad(cpu, p, x, dy, dw, db);
}

}  // namespace gf
