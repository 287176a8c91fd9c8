#include "kernels/cpu/convolution_method.h"
#include "tests/kernels/convolution_reference.h"

// Every method that can compute a case, whether or not the table would choose it there.
namespace gf {
namespace {

using namespace test;
using cpu::ConvolutionCall;
using cpu::Method;
using onednn::Operation;

View unconst(const Buffer& b) {
  const ConstView v = b.view();
  return {const_cast<void*>(v.data), v.dtype, v.shape(), v.pixel_stride};
}

}  // namespace

TEST_CASE("convolution: every method equals the definition") {
  const Cpu device{harness::workspace};
  for (const Method method : {Method::direct, Method::blocked, Method::mirrored, Method::gemm}) {
    int computed = 0;
    for (const Case& c : cases()) {
      if (c.x.n == 0) continue;
      CAPTURE(c.name);
      CAPTURE(static_cast<int>(method));
      const Setup s(c);
      Buffer y(s.y_shape, c.extra_y), dx(c.x, c.extra_x), dw(c.w), db({1, 1, 1, c.w.n});

      const ConvolutionCall forward{Operation::forward, s.p, unconst(s.x), unconst(s.w), y.view(),
                                    unconst(s.bias_y),  ConvolutionActivation::relu};
      if (supports(method, forward)) {
        ++computed;
        run(device, forward, method);
        CHECK(harness::relative_error(y.values(), forward_reference(s, true, true)) < forward_tolerance(c));
        CHECK(y.sentinels_intact());
      }
      const ConvolutionCall input_grad{Operation::input_grad, s.p,           dx.view(),
                                       unconst(s.w),          unconst(s.dy), unconst(s.bias_x)};
      if (supports(method, input_grad)) {
        ++computed;
        run(device, input_grad, method);
        CHECK(harness::relative_error(dx.values(), input_grad_reference(s, true)) < input_grad_tolerance(c));
        CHECK(dx.sentinels_intact());
      }
      const ConvolutionCall weight_grad{Operation::weight_grad, s.p, unconst(s.x), dw.view(), unconst(s.dy), db.view()};
      if (supports(method, weight_grad)) {
        ++computed;
        run(device, weight_grad, method);
        CHECK(harness::relative_error(dw.values(), weight_grad_reference(s)) < weight_grad_tolerance(s));
        CHECK(harness::relative_error(db.values(), bias_grad_reference(s)) < weight_grad_tolerance(s));
        CHECK(dw.sentinels_intact());
        CHECK(db.sentinels_intact());
      }
    }
    CHECK(computed > 0);
  }
}

}  // namespace gf
