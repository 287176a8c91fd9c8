// What a library computes (convolutions, matrix products) in bf16, under the executor and on a GPU: summed in float32
// from the rounded inputs, rounded once.
#include "kernels/error.h"
#include "kernels/matmul.h"
#include "tests/harness/kernel_case.h"
#include "tests/kernels/convolution_reference.h"

namespace gf {
namespace {

using namespace test;
using Half = harness::Buffer<bf16>;

constexpr double kRounding = 1.0 / 256;

// The same numbers in bf16, and what is left of them.
Half rounded(Buffer& b) {
  const Half half = Half::of(b.shape(), 0, b.values());
  b = Buffer::of(b.shape(), 0, half.values());
  return half;
}

// What a depthwise kernel cannot add is added to the rounded sum: one more rounding each.
double allowed(const Case& c, int additions) { return (c.p.groups == c.x.c ? 1.1 * (1 + additions) : 1.1) * kRounding; }

TEST_CASE("convolution bf16: forward, bias, residual and ReLU") {
  for (const Case& c : cases())
    for (const bool with_bias : {false, true})
      for (const bool with_residual : {false, true})
        for (const bool relu : {false, true}) {
          CAPTURE(c.name);
          CAPTURE(with_bias);
          CAPTURE(with_residual);
          BasicSetup<bf16> s(c);
          const Half bias = rounded(s.bias_y), residual = Half::random(s.y_shape, 3, 77);
          Values expected = forward_reference(s, with_bias, relu && !with_residual);
          const Values r = residual.values();
          for (std::size_t i = 0; with_residual && i < r.size(); ++i)
            expected[i] = relu ? std::max(0.0, expected[i] + r[i]) : expected[i] + r[i];
          harness::on_every_gpu([&](const auto& device) {
            Half y(s.y_shape, c.extra_y);
            convolution_forward(device, s.p, s.x.view(), s.w.view(), with_bias ? bias.view() : ConstView(), y.view(),
                                relu ? ConvolutionActivation::relu : ConvolutionActivation::none,
                                with_residual ? residual.view() : ConstView());
            CHECK(harness::relative_error(y.values(), expected) < allowed(c, with_bias + with_residual));
            CHECK(y.sentinels_intact());
            return y.values();
          });
        }
}

TEST_CASE("convolution bf16: gradients, bias's too") {
  for (const Case& c : cases())
    for (const bool with_bias : {false, true}) {
      CAPTURE(c.name);
      CAPTURE(with_bias);
      BasicSetup<bf16> s(c);
      const Half bias = rounded(s.bias_x);
      harness::on_every_gpu([&](const auto& device) {
        Half dx(c.x, c.extra_x), dw(c.w), db({1, 1, 1, c.w.n});
        convolution_input_grad(device, s.p, s.dy.view(), s.w.view(), with_bias ? bias.view() : ConstView(), dx.view());
        CHECK(harness::relative_error(dx.values(), input_grad_reference(s, with_bias)) < allowed(c, with_bias));
        convolution_weight_grad(device, s.p, s.x.view(), s.dy.view(), dw.view(), with_bias ? db.view() : View());
        CHECK(harness::relative_error(dw.values(), weight_grad_reference(s)) < 1.1 * kRounding);
        if (with_bias) CHECK(harness::relative_error(db.values(), bias_grad_reference(s)) < 1.1 * kRounding);
        CHECK((dx.sentinels_intact() && dw.sentinels_intact() && db.sentinels_intact()));
        return dw.values();
      });
    }
}

TEST_CASE("matmul bf16") {
  unsigned seed = 1;
  for (const std::int64_t inner : {1, 31, 32, 33, 257})
    for (const std::int64_t extra : {0, 3})
      for (const bool transposed : {false, true}) {
        CAPTURE(inner);
        const std::int64_t rows = 33, columns = 31;
        const Half a = Half::random({2, 1, rows, inner}, extra, ++seed);
        const Half b =
            Half::random(transposed ? Shape{1, 1, columns, inner} : Shape{1, 1, inner, columns}, extra, ++seed);
        const Values va = a.values(), vb = b.values();
        Values expected;
        for (std::int64_t r = 0; r < 2 * rows; ++r)
          for (std::int64_t j = 0; j < columns; ++j) {
            double sum = 0;
            for (std::int64_t k = 0; k < inner; ++k)
              sum += va[static_cast<std::size_t>(r * inner + k)] *
                     vb[static_cast<std::size_t>(transposed ? j * inner + k : k * columns + j)];
            expected.push_back(sum);
          }
        harness::on_every_gpu([&](const auto& device) {
          Half y({2, 1, rows, columns}, extra);
          matmul(device, false, transposed, a.view(), b.view(), y.view());
          CHECK(harness::relative_error(y.values(), expected) < 1.1 * kRounding);
          CHECK(y.sentinels_intact());
          return y.values();
        });
      }
}

TEST_CASE("library bf16 on simt: dtypes that differ are refused by name") {
  const Simt simt{harness::workspace};
  Half x({1, 4, 4, 8}), y({1, 4, 4, 8});
  Buffer w({8, 3, 3, 8}), a({1, 1, 4, 8});
  CHECK_THROWS_WITH_AS(convolution_forward(simt, conv(1, 1), x.view(), w.view(), {}, y.view()),
                       doctest::Contains("w f32 [8,3,3,8]"), Error);
  CHECK_THROWS_WITH_AS(matmul(simt, false, true, a.view(), x.view(), y.view()), doctest::Contains("a f32 [1,1,4,8]"),
                       Error);
}

}  // namespace
}  // namespace gf
