#include "engine/ops/convolution.h"

#include "engine/autograd.h"
#include "engine/op_scope.h"
#include "engine/op_trace.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/cast.h"
#include "engine/ops/convolution_log.h"
#include "engine/ops/mac_counter.h"
#include "engine/ops/place.h"
#include "kernels/error.h"

namespace gf {
namespace {

ConstView view_or_null(const Tensor& t) { return t ? t.view() : ConstView{}; }

Tensor forward(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvolutionShape& p,
               ConvolutionActivation act, const Tensor& residual = {}, const Tensor& into = {}) {
  require_one_dtype("convolution", x, w);
  require_one_dtype("convolution", x, bias);
  require_one_dtype("convolution", x, residual);
  const Tensor y = place_for("convolution", into, convolution_output(x.shape(), w.shape(), p), x.dtype(), x.device());
  MacCounter::convolution(w.view(), x.shape(), y.shape(), p, bool(bias));
  ConvolutionLog::add({.bias = bool(bias), .x = x.shape(), .w = w.shape(), .y = y.shape(), .shape = p});
  on(x.device(), [&](const auto& d) {
    convolution_forward(d, p, x.view(), w.view(), view_or_null(bias), y.mutable_view(), act, view_or_null(residual));
  });
  return y;
}

Tensor input_grad(const char* op, const Tensor& dy, const Tensor& w, const Tensor& bias, const Shape& x,
                  const ConvolutionShape& p, const Tensor& into = {}) {
  require_one_dtype(op, dy, w);
  require_one_dtype(op, dy, bias);
  const Tensor dx = place_for(op, into, x, dy.dtype(), dy.device());
  on(dy.device(),
     [&](const auto& d) { convolution_input_grad(d, p, dy.view(), w.view(), view_or_null(bias), dx.mutable_view()); });
  return dx;
}

}  // namespace

// dx = input_grad(dy, w), dw = weight_grad(x, dy), db = sum of dy over pixels
Tensor convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvolutionShape& p) {
  const OpScope scope("convolution");
  OpTrace::arguments(p);
  return record("convolution", forward(x, w, bias, p, ConvolutionActivation::none), {x, w, bias},
                [x, w, bias, p](const Tensor& dy, const Needs& needs) {
                  std::vector<Tensor> g(3);
                  if (needs[0]) g[0] = convolution_input_grad(dy, w, x.shape(), p);
                  if (needs[1] && needs[2] && !recording()) {  // one kernel for both
                    g[1] = Tensor::empty(w.shape(), x.dtype(), x.device());
                    g[2] = Tensor::empty(bias.shape(), x.dtype(), x.device());
                    on(x.device(), [&](const auto& d) {
                      convolution_weight_grad(d, p, x.view(), dy.view(), g[1].mutable_view(), g[2].mutable_view());
                    });
                    return g;
                  }
                  if (needs[1]) g[1] = convolution_weight_grad(x, dy, w.shape(), p);
                  if (needs[2]) g[2] = sum_to(dy, bias.shape());
                  return g;
                });
}

Tensor convolution_inference(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvolutionShape& p,
                             ConvolutionActivation act, const Tensor& residual, const Tensor& into) {
  const OpScope scope("convolution_inference");
  return forward(x, w, bias, p, act, residual, into);
}

// With y = input_grad(x, w): dx = convolution(dy, w), dw = weight_grad(dy, x), db = sum of dy
Tensor transposed_convolution(const Tensor& x, const Tensor& w, const Tensor& bias, const ConvolutionShape& p,
                              int output_pad, const Tensor& into) {
  const OpScope scope("transposed_convolution");
  const Shape &s = x.shape(), &k = w.shape();
  if (k.n != s.c)
    fail("transposed convolution: weight does not fit", "x " + s.str() + ", w " + k.str(),
         std::to_string(s.c) + " input channels", std::to_string(k.n));
  const Shape out{s.n, (s.h - 1) * p.stride_h - 2 * p.pad_h + p.dilation_h * (k.h - 1) + 1 + output_pad,
                  (s.w - 1) * p.stride_w - 2 * p.pad_w + p.dilation_w * (k.w - 1) + 1 + output_pad, k.c * p.groups};
  MacCounter::transposed_convolution(w.view(), s, out, p, bool(bias));
  ConvolutionLog::add({.transposed = true, .bias = bool(bias), .x = out, .w = w.shape(), .y = s, .shape = p});
  OpTrace::arguments(TransposedArguments{p, output_pad});
  return record("transposed_convolution", input_grad("transposed_convolution", x, w, bias, out, p, into), {x, w, bias},
                [x, w, bias, p](const Tensor& dy, const Needs& needs) {
                  std::vector<Tensor> g(3);
                  if (needs[0]) g[0] = convolution(dy, w, {}, p);
                  if (needs[1]) g[1] = convolution_weight_grad(dy, x, w.shape(), p);
                  if (needs[2]) g[2] = sum_to(dy, bias.shape());
                  return g;
                });
}

// Linear in dy and in w: d/d(dy) = convolution(g, w), d/dw = weight_grad(g, dy)
Tensor convolution_input_grad(const Tensor& dy, const Tensor& w, const Shape& x, const ConvolutionShape& p) {
  const OpScope scope("convolution_input_grad");
  return record("convolution_input_grad", input_grad("convolution_input_grad", dy, w, {}, x, p), {dy, w},
                [dy, w, p](const Tensor& g, const Needs& needs) {
                  std::vector<Tensor> r(2);
                  if (needs[0]) r[0] = convolution(g, w, {}, p);
                  if (needs[1]) r[1] = convolution_weight_grad(g, dy, w.shape(), p);
                  return r;
                });
}

// Linear in x and in dy: d/dx = input_grad(dy, g), d/d(dy) = convolution(x, g)
Tensor convolution_weight_grad(const Tensor& x, const Tensor& dy, const Shape& w, const ConvolutionShape& p) {
  const OpScope scope("convolution_weight_grad");
  require_one_dtype("convolution_weight_grad", x, dy);
  Tensor dw = Tensor::empty(w, x.dtype(), x.device());
  on(x.device(), [&](const auto& d) { convolution_weight_grad(d, p, x.view(), dy.view(), dw.mutable_view(), View{}); });
  return record("convolution_weight_grad", dw, {x, dy}, [x, dy, p](const Tensor& g, const Needs& needs) {
    std::vector<Tensor> r(2);
    if (needs[0]) r[0] = convolution_input_grad(dy, g, x.shape(), p);
    if (needs[1]) r[1] = convolution(x, g, {}, p);
    return r;
  });
}

}  // namespace gf
