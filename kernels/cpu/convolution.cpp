#include "kernels/convolution.h"

#include <algorithm>
#include <cstring>

#include "kernels/check.h"
#include "kernels/convolution_activation.h"
#include "kernels/cpu/convolution_method.h"
#include "kernels/elementwise.h"

namespace gf {
namespace {

using onednn::Operation;

// Throws unless x, w, y and the bias (of `bias_channels` values) belong together.
void check(const char* kernel, const ConvolutionShape& p, const ConstView& x, const ConstView& w, const ConstView& y,
           const ConstView& bias, std::int64_t bias_channels) {
  require_view(kernel, "x", x);
  require_view(kernel, "w", w);
  require_view(kernel, "y", y);
  require_dense(kernel, "w", w);
  const Shape expected = convolution_output(x.shape(), w.shape(), p);
  if (y.shape() != expected)
    fail(std::string(kernel) + ": wrong shape", describe(x.shape(), w.shape(), p), "y " + expected.str(),
         y.shape().str());
  if (bias.data) require_vector(kernel, "bias", bias, bias_channels);
}

// Calls hold views of one kind; what the operation does not write stays unwritten. A view of one pixel may carry any
// stride; from here on it makes sense.
View call_view(const ConstView& v) {
  return {const_cast<void*>(v.data), v.dtype, v.shape(), std::max(v.pixel_stride, v.c)};
}

void run(const Cpu& cpu, const cpu::ConvolutionCall& call) { cpu::run(cpu, call, cpu::choose(call)); }

}  // namespace

void convolution_forward(const Cpu& cpu, const ConvolutionShape& p, ConstView x, ConstView w, ConstView bias, View y,
                         ConvolutionActivation act, ConstView residual) {
  check("convolution_forward", p, x, w, y, bias, y.c);
  if (residual.data) {
    require_view("convolution_forward", "residual", residual);
    require_same_shape("convolution_forward", "residual", residual, "y", y);
  }
  if (y.count() == 0) return;
  run(cpu, {Operation::forward, p, call_view(x), call_view(w), call_view(y), call_view(bias),
            residual.data ? ConvolutionActivation::none : act});
  if (!residual.data) return;
  binary(cpu, Binary::add, y, residual, y);
  activate(cpu, act, y);
}

void convolution_input_grad(const Cpu& cpu, const ConvolutionShape& p, ConstView dy, ConstView w, ConstView bias,
                            View dx) {
  check("convolution_input_grad", p, dx, w, dy, bias, dx.c);
  if (dx.count() == 0) return;
  run(cpu, {Operation::input_grad, p, call_view(dx), call_view(w), call_view(dy), call_view(bias)});
}

void convolution_weight_grad(const Cpu& cpu, const ConvolutionShape& p, ConstView x, ConstView dy, View dw, View db) {
  check("convolution_weight_grad", p, x, dw, dy, db, dy.c);
  if (dw.count() == 0) return;
  if (dy.count() == 0) {
    std::memset(dw.data, 0, static_cast<std::size_t>(dw.count()) * sizeof(float));
    if (db.data) std::memset(db.data, 0, static_cast<std::size_t>(db.count()) * sizeof(float));
    return;
  }
  run(cpu, {Operation::weight_grad, p, call_view(x), dw, call_view(dy), db});
}

}  // namespace gf
