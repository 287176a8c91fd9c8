#include "kernels/convolution.h"

#include <omp.h>

#include <array>
#include <string>

#include "kernels/error.h"
#include "tests/harness/kernel_case.h"
#include "tests/kernels/convolution_reference.h"

namespace gf {
namespace {

using namespace test;

constexpr ConvolutionActivation kActivations[] = {ConvolutionActivation::none, ConvolutionActivation::relu,
                                                  ConvolutionActivation::relu6};

// `clipped` counts what the ceiling of ReLU6 cuts: cases without any would not show it.
double activated(double v, ConvolutionActivation act, int& clipped) {
  if (act == ConvolutionActivation::none) return v;
  if (act == ConvolutionActivation::relu6 && v > 6) ++clipped;
  return act == ConvolutionActivation::relu ? std::max(0.0, v) : std::min(std::max(0.0, v), 6.0);
}

}  // namespace

TEST_CASE("convolution: forward equals the definition") {
  int clipped = 0;
  for (const Case& c : cases())
    for (const bool with_bias : {false, true})
      for (const ConvolutionActivation act : kActivations) {
        CAPTURE(c.name);
        CAPTURE(with_bias);
        CAPTURE(act);
        const Setup s(c);
        std::vector<double> expected = forward_reference(s, with_bias, false);
        for (double& v : expected) v = activated(v, act, clipped);
        harness::on_every_device([&](const auto& device) {
          Buffer y(s.y_shape, c.extra_y);
          convolution_forward(device, s.p, s.x.view(), s.w.view(), with_bias ? s.bias_y.view() : ConstView(), y.view(),
                              act);
          CHECK(harness::relative_error(y.values(), expected) < forward_tolerance(c));
          CHECK(y.sentinels_intact());
          return y.values();
        });
      }
  CHECK(clipped > 100);
}

TEST_CASE("convolution: a residual is added before the activation") {
  int clipped = 0;
  for (const Case& c : cases())
    for (const ConvolutionActivation act : kActivations) {
      CAPTURE(c.name);
      CAPTURE(act);
      const Setup s(c);
      const Buffer residual = Buffer::random(s.y_shape, 3, 77);
      std::vector<double> expected = forward_reference(s, true, false);
      const std::vector<double> r = residual.values();
      for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = activated(expected[i] + r[i], act, clipped);
      harness::on_every_device([&](const auto& device) {
        Buffer y(s.y_shape, c.extra_y);
        convolution_forward(device, s.p, s.x.view(), s.w.view(), s.bias_y.view(), y.view(), act, residual.view());
        CHECK(harness::relative_error(y.values(), expected) < forward_tolerance(c));
        CHECK(y.sentinels_intact());
        return y.values();
      });
    }
  CHECK(clipped > 100);
}

#ifdef GF_WITH_CUDA
TEST_CASE("convolution: a GPU may round float32 inputs to TF32, and does no worse than that") {
  constexpr double kTf32 = 2e-3;
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Setup s(c);
    const Buffer residual = Buffer::random(s.y_shape, 3, 77);
    Values expected = forward_reference(s, true, false);
    const Values r = residual.values();
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = std::max(0.0, expected[i] + r[i]);
    harness::on_every_gpu([&](const auto& device) {
      auto rounding = device;
      if constexpr (std::is_same_v<std::decay_t<decltype(device)>, Cuda>) rounding.tf32 = true;
      Buffer y(s.y_shape, c.extra_y), dx(c.x, c.extra_x), dw(c.w);
      convolution_forward(rounding, s.p, s.x.view(), s.w.view(), s.bias_y.view(), y.view(), ConvolutionActivation::relu,
                          residual.view());
      convolution_input_grad(rounding, s.p, s.dy.view(), s.w.view(), {}, dx.view());
      convolution_weight_grad(rounding, s.p, s.x.view(), s.dy.view(), dw.view(), {});
      CHECK(harness::relative_error(y.values(), expected) < kTf32);
      CHECK(harness::relative_error(dx.values(), input_grad_reference(s, false)) < kTf32);
      CHECK(harness::relative_error(dw.values(), weight_grad_reference(s)) < kTf32);
      return Values{};
    });
  }
}
#endif

TEST_CASE("convolution: input gradient equals the definition") {
  for (const Case& c : cases())
    for (const bool with_bias : {false, true}) {
      CAPTURE(c.name);
      CAPTURE(with_bias);
      const Setup s(c);
      const Values expected = input_grad_reference(s, with_bias);
      harness::on_every_device([&](const auto& device) {
        Buffer dx(c.x, c.extra_x);
        convolution_input_grad(device, s.p, s.dy.view(), s.w.view(), with_bias ? s.bias_x.view() : ConstView(),
                               dx.view());
        CHECK(harness::relative_error(dx.values(), expected) < input_grad_tolerance(c));
        CHECK(dx.sentinels_intact());
        return dx.values();
      });
    }
}

TEST_CASE("convolution: weight gradient equals the definition") {
  for (const Case& c : cases())
    for (const bool with_bias : {false, true}) {
      CAPTURE(c.name);
      CAPTURE(with_bias);
      const Setup s(c);
      const Values expected = weight_grad_reference(s), expected_bias = bias_grad_reference(s);
      harness::on_every_device([&](const auto& device) {
        Buffer dw(c.w), db({1, 1, 1, c.w.n});
        convolution_weight_grad(device, s.p, s.x.view(), s.dy.view(), dw.view(), with_bias ? db.view() : View());
        CHECK(harness::relative_error(dw.values(), expected) < weight_grad_tolerance(s));
        CHECK(dw.sentinels_intact());
        if (with_bias) CHECK(harness::relative_error(db.values(), expected_bias) < weight_grad_tolerance(s));
        CHECK(db.sentinels_intact());
        return dw.values();
      });
    }
}

TEST_CASE("convolution: the three kernels are each other's adjoints") {
  const auto dot = [](const Values& a, const Values& b) {
    double sum = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i], size += std::abs(a[i] * b[i]);
    return std::pair{sum, size};
  };
  for (const Case& c : cases()) {
    CAPTURE(c.name);
    const Setup s(c);
    Buffer y(s.y_shape, c.extra_y), dx(c.x, c.extra_x), dw(c.w);
    convolution_forward(Cpu{harness::workspace}, s.p, s.x.view(), s.w.view(), {}, y.view());
    convolution_input_grad(Cpu{harness::workspace}, s.p, s.dy.view(), s.w.view(), {}, dx.view());
    convolution_weight_grad(Cpu{harness::workspace}, s.p, s.x.view(), s.dy.view(), dw.view(), {});
    const auto [forward, scale] = dot(y.values(), s.dy.values());
    CHECK(std::abs(dot(s.x.values(), dx.values()).first - forward) <= 1e-5 * scale);
    CHECK(std::abs(dot(s.w.values(), dw.values()).first - forward) <= 1e-5 * scale);
  }
}

TEST_CASE("convolution: the same call gives the same bits") {
  for (const Case& c : cases()) {
    if (c.x.n == 0) continue;
    CAPTURE(c.name);
    const Setup s(c);
    const auto run = [&] {
      Buffer y(s.y_shape, c.extra_y), dx(c.x, c.extra_x), dw(c.w), db({1, 1, 1, c.w.n});
      convolution_forward(Cpu{harness::workspace}, s.p, s.x.view(), s.w.view(), s.bias_y.view(), y.view());
      convolution_input_grad(Cpu{harness::workspace}, s.p, s.dy.view(), s.w.view(), {}, dx.view());
      convolution_weight_grad(Cpu{harness::workspace}, s.p, s.x.view(), s.dy.view(), dw.view(), db.view());
      return std::array{y, dx, dw, db};
    };
    const auto first = run(), second = run();
    for (std::size_t i = 0; i < first.size(); ++i) CHECK(harness::same_bits(first[i].values(), second[i].values()));
  }
}

TEST_CASE("convolution: the number of threads may change between calls") {
  const Setup s({"", {4, 24, 24, 32}, {32, 3, 3, 32}, conv(1, 1)});
  const int threads = omp_get_max_threads();
  for (const int n : {1, 3, 2, threads}) {
    CAPTURE(n);
    omp_set_num_threads(n);
    Buffer y(s.y_shape), dw(s.w.shape());
    convolution_forward(Cpu{harness::workspace}, s.p, s.x.view(), s.w.view(), {}, y.view());
    convolution_weight_grad(Cpu{harness::workspace}, s.p, s.x.view(), s.dy.view(), dw.view(), {});
    CHECK(harness::relative_error(y.values(), forward_reference(s, false, false)) < 1e-5);
    CHECK(harness::relative_error(dw.values(), weight_grad_reference(s)) < 1e-5);
  }
}

TEST_CASE("convolution: errors name the shapes") {
  const auto message = [](const auto& call) {
    try {
      call();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const auto forward = [&](Shape x, Shape w, Shape y, ConvolutionShape p) {
    return message([&] {
      Buffer bx(x), bw(w), by(y);
      convolution_forward(Cpu{harness::workspace}, p, bx.view(), bw.view(), {}, by.view());
    });
  };
  const ConvolutionShape same = conv(1, 1);
  CHECK(forward({1, 8, 8, 16}, {8, 3, 3, 16}, {1, 8, 9, 8}, same) ==
        "convolution_forward: wrong shape: x [1,8,8,16], w [8,3,3,16], stride 1, pad 1: expected y [1,8,8,8], found "
        "[1,8,9,8]");
  CHECK(forward({1, 8, 8, 15}, {8, 3, 3, 16}, {1, 8, 8, 8}, same) ==
        "convolution: x [1,8,8,15], w [8,3,3,16], stride 1, pad 1: expected 16 channels in x, found 15; w is "
        "(out,kh,kw,in/groups)");
  CHECK(forward({1, 8, 8, 15}, {8, 3, 3, 5}, {1, 8, 8, 8}, conv(1, 1, 1, 3)) ==
        "convolution: x [1,8,8,15], w [8,3,3,5], stride 1, pad 1, groups 3: expected channels divisible by the groups, "
        "found 15 in and 8 out");
  CHECK(forward({1, 2, 8, 16}, {8, 5, 5, 16}, {1, 8, 8, 8}, {1, 1, 1, 2}) ==
        "convolution: x [1,2,8,16], w [8,5,5,16], stride 1, pad 1x2: expected a padded height of at least 5, found 4; "
        "use a larger image, a smaller kernel or more padding");
  CHECK(forward({1, 8, 8, 16}, {8, 3, 3, 16}, {1, 8, 8, 8}, conv(0, 1)) ==
        "convolution: x [1,8,8,16], w [8,3,3,16], stride 0, pad 1: expected strides of at least 1, found 0");
  CHECK(message([&] {
          Buffer x({1, 8, 8, 16}), w({8, 3, 3, 16}), y({1, 8, 8, 8}), bias({1, 1, 1, 9});
          convolution_forward(Cpu{harness::workspace}, same, x.view(), w.view(), bias.view(), y.view());
        }) == "convolution_forward: wrong shape: bias f32 [1,1,1,9]: expected [1,1,1,8], found [1,1,1,9]");
  CHECK(message([&] {
          Buffer x({1, 8, 8, 16}), w({8, 3, 3, 16}), y({1, 8, 8, 8});
          View wrong = y.view();
          wrong.dtype = DType::bf16;
          convolution_input_grad(Cpu{harness::workspace}, same, wrong, w.view(), {}, x.view());
        }) == "convolution_input_grad: wrong dtype: y bf16 [1,8,8,8]: expected f32, found bf16");
  CHECK(message([&] {
          Buffer x({1, 8, 8, 16}, 3), w({8, 3, 3, 16}), y({1, 8, 8, 8});
          convolution_forward(Cpu{}, same, x.view(), w.view(), {}, y.view());
        }).find("convolution: no workspace") == 0);
}

}  // namespace gf
