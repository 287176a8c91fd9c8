#include "kernels/depthwise.h"

#include "kernels/error.h"
#include "tests/kernels/convolution_reference.h"

namespace gf {
namespace {

using namespace test;
using harness::for_every_element;
using harness::on_every_device;
using harness::on_every_gpu;
using harness::relative_error;

Case depthwise(const char* name, Shape x, std::int64_t kernel_h, std::int64_t kernel_w, ConvolutionShape p,
               std::int64_t extra_x = 0, std::int64_t extra_y = 0) {
  p.groups = static_cast<int>(x.c);
  return {name, x, {x.c, kernel_h, kernel_w, 1}, p, extra_x, extra_y};
}

// The depthwise ones among the convolution's cases, and what this family's kernels tell apart.
std::vector<Case> depthwise_cases() {
  std::vector<Case> list = {
      depthwise("257 channels", {1, 3, 6, 257}, 3, 3, conv(1, 1)),
      depthwise("160 channels, two tiles", {1, 4, 5, 160}, 3, 3, conv(1, 1), 8, 16),
      depthwise("32 channels, packs with gaps", {2, 9, 11, 32}, 3, 3, conv(2, 1), 8, 32),
      depthwise("8 channels, several strips and blocks", {3, 21, 37, 8}, 3, 3, conv(1, 1)),
      depthwise("8 channels, 5x5 stride 2", {2, 11, 13, 8}, 5, 5, conv(2, 2)),
      depthwise("16 channels, 5x5 dilation 2, packs", {1, 12, 11, 16}, 5, 5, conv(1, 4, 2)),
      depthwise("16 channels, stride 2 dilation 2", {2, 9, 12, 16}, 3, 3, conv(2, 2, 2)),
      depthwise("16 channels, stride 2 dilation 3", {2, 15, 17, 16}, 3, 3, conv(2, 3, 3)),
      depthwise("8 channels, dilation 7, hole beyond the image", {1, 5, 9, 8}, 3, 3, conv(1, 7, 7)),
      depthwise("8 channels, more padding than kernel", {1, 4, 3, 8}, 3, 3, conv(2, 5)),
      depthwise("8 channels, 1x1", {2, 5, 6, 8}, 1, 1, conv(1, 0)),
      depthwise("8 channels, 1x1 stride 2, inputs that nothing reads", {2, 5, 6, 8}, 1, 1, conv(2, 0)),
      depthwise("16 channels, 2x4, mixed strides", {2, 9, 10, 16}, 2, 4, {2, 1, 0, 2}),
      depthwise("5 channels, 5x3, mixed dilation", {2, 9, 10, 5}, 5, 3, {1, 2, 4, 1, 2, 1}, 1, 0),
      depthwise("1 channel, a long row", {1, 1, 257, 1}, 1, 3, {1, 1, 0, 1}),
      depthwise("1 channel, a tall column: several lines a thread", {17, 8000, 1, 1}, 3, 3, conv(1, 1)),
      depthwise("empty batch", {0, 8, 8, 16}, 3, 3, conv(1, 1)),
  };
  for (const Case& c : cases()) {
    if (c.w.c == 1 && c.w.n == c.x.c && c.p.groups == c.x.c) list.push_back(c);
  }
  return list;
}

// Calls body(case, its operands in T, the error T's rounding allows) and runs what it returns: in float32 on every
// device, in bf16 where the .cu bodies run.
template <class Body>
void for_every_case(const Body& body) {
  for (const Case& c : depthwise_cases()) {
    CAPTURE(c.name);
    for_every_element([&](auto element, double rounding) {
      using T = decltype(element);
      const BasicSetup<T> s(c);
      const auto run = body(c, s, rounding);
      if constexpr (std::is_same_v<T, float>) {
        on_every_device(run);
      } else {
        on_every_gpu(run);
      }
    });
  }
}

template <class T>
harness::Buffer<T> like(const harness::Buffer<T>&, Shape shape, std::int64_t extra) {
  return harness::Buffer<T>(shape, extra);
}

TEST_CASE("depthwise: forward equals the definition") {
  for (const bool with_bias : {false, true}) {
    CAPTURE(with_bias);
    for_every_case([&](const Case& c, const auto& s, double rounding) {
      const Values want = forward_reference(s, with_bias, false);
      return [&, want, rounding](const auto& device) {
        auto y = like(s.x, s.y_shape, c.extra_y);
        depthwise_forward(device, s.p, s.x.view(), s.w.view(), with_bias ? s.bias_y.view() : ConstView(), y.view());
        CHECK(relative_error(y.values(), want) < forward_tolerance(c) + rounding);
        CHECK(y.sentinels_intact());
        return y.values();
      };
    });
  }
}

TEST_CASE("depthwise: input gradient equals the definition") {
  for_every_case([&](const Case& c, const auto& s, double rounding) {
    const Values want = input_grad_reference(s, false);
    return [&, want, rounding](const auto& device) {
      auto dx = like(s.x, c.x, c.extra_x);
      depthwise_input_grad(device, s.p, s.dy.view(), s.w.view(), dx.view());
      CHECK(relative_error(dx.values(), want) < input_grad_tolerance(c) + rounding);
      CHECK(dx.sentinels_intact());
      return dx.values();
    };
  });
}

TEST_CASE("depthwise: weight gradient equals the definition") {
  for (const bool with_bias : {false, true}) {
    CAPTURE(with_bias);
    for_every_case([&](const Case& c, const auto& s, double rounding) {
      const Values want = weight_grad_reference(s), want_bias = bias_grad_reference(s);
      return [&, want, want_bias, rounding](const auto& device) {
        Buffer dw(c.w), db({1, 1, 1, c.w.n});
        depthwise_weight_grad(device, s.p, s.x.view(), s.dy.view(), dw.view(), with_bias ? db.view() : View());
        CHECK(relative_error(dw.values(), want) < weight_grad_tolerance(s));
        if (with_bias) CHECK(relative_error(db.values(), want_bias) < weight_grad_tolerance(s));
        CHECK((dw.sentinels_intact() && db.sentinels_intact()));
        Values all = dw.values();
        if (with_bias) harness::append(all, db.values());
        return all;
      };
    });
  }
}

TEST_CASE("depthwise: the weight gradient may be bf16, rounded once") {
  const Case c = depthwise("", {2, 9, 11, 16}, 3, 3, conv(1, 1));
  const BasicSetup<bf16> s(c);
  on_every_gpu([&](const auto& device) {
    Buffer exact(c.w);
    harness::Buffer<bf16> rounded(c.w);
    depthwise_weight_grad(device, s.p, s.x.view(), s.dy.view(), exact.view(), {});
    depthwise_weight_grad(device, s.p, s.x.view(), s.dy.view(), rounded.view(), {});
    Values want;
    for (const double v : exact.values()) want.push_back(to_float(to_bf16(static_cast<float>(v))));
    CHECK(harness::same_bits(rounded.values(), want));
    return rounded.values();
  });
}

// They reach the outputs that the definition says, of the weight gradients at least these and at most their channel's.
TEST_CASE("depthwise: NaN and infinity stay where they belong") {
  const Case c = depthwise("", {1, 6, 7, 8}, 3, 3, conv(1, 1));
  for_every_element([&](auto element, double) {
    using T = decltype(element);
    BasicSetup<T> s(c);
    s.x.at(2 * 7 + 6, 3) = harness::element_of<T>(INFINITY);  // on the right edge, in the last, half-filled strip
    s.x.at(5 * 7 + 1, 4) = harness::element_of<T>(NAN);
    const Values y_want = forward_reference(s, false, false), dw_want = weight_grad_reference(s);
    on_every_gpu([&](const auto& device) {
      harness::Buffer<T> y(s.y_shape);
      Buffer dw(c.w);
      depthwise_forward(device, s.p, s.x.view(), s.w.view(), {}, y.view());
      depthwise_weight_grad(device, s.p, s.x.view(), s.dy.view(), dw.view(), {});
      const Values got = y.values(), dw_got = dw.values();
      int wrong = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        wrong += std::isfinite(got[i]) != std::isfinite(y_want[i]) || std::isnan(got[i]) != std::isnan(y_want[i]);
      }
      for (std::size_t i = 0; i < dw_got.size(); ++i) {
        const bool touched = i / 9 == 3 || i / 9 == 4;
        wrong += std::isfinite(dw_got[i]) && !std::isfinite(dw_want[i]);
        wrong += !std::isfinite(dw_got[i]) && !touched;
      }
      CHECK(wrong == 0);
      Values all = got;
      harness::append(all, dw_got);
      return all;
    });
  });
}

TEST_CASE("depthwise: errors name what does not fit") {
  on_every_device([&](const auto& device) {
    const auto refuses = [&](Shape x, Shape w, Shape y, ConvolutionShape p, const char* text) {
      Buffer bx(x), bw(w), by(y);
      CHECK_THROWS_WITH_AS(depthwise_forward(device, p, bx.view(), bw.view(), {}, by.view()), doctest::Contains(text),
                           Error);
      CHECK_THROWS_WITH_AS(depthwise_input_grad(device, p, by.view(), bw.view(), bx.view()), doctest::Contains(text),
                           Error);
      CHECK_THROWS_WITH_AS(depthwise_weight_grad(device, p, bx.view(), by.view(), bw.view(), {}),
                           doctest::Contains(text), Error);
    };
    refuses({1, 8, 8, 16}, {16, 3, 3, 1}, {1, 8, 8, 16}, conv(1, 1), "as many groups and kernels as channels");
    refuses({1, 8, 8, 16}, {16, 7, 7, 1}, {1, 8, 8, 16}, conv(1, 3, 1, 16), "a kernel of at most 5x5");
    refuses({1, 9, 9, 16}, {16, 3, 3, 1}, {1, 3, 3, 16}, conv(3, 1, 1, 16), "strides of 1 or 2");
    refuses({1, 8, 8, 16}, {16, 3, 3, 1}, {1, 8, 9, 16}, conv(1, 1, 1, 16), "expected y [1,8,8,16], found [1,8,9,16]");
    Buffer x({1, 8, 8, 16}), w({16, 3, 3, 1}), bias({1, 1, 1, 9});
    harness::Buffer<bf16> narrow({1, 8, 8, 16}), narrow_w({16, 3, 3, 1});
    const ConvolutionShape p = conv(1, 1, 1, 16);
    CHECK_THROWS_WITH_AS(depthwise_forward(device, p, x.view(), w.view(), bias.view(), x.view()),
                         doctest::Contains("bias f32 [1,1,1,9]: expected [1,1,1,16]"), Error);
    CHECK_THROWS_WITH_AS(depthwise_forward(device, p, x.view(), w.view(), {}, narrow.view()),
                         doctest::Contains("y bf16 [1,8,8,16]: expected f32"), Error);
    CHECK_THROWS_WITH_AS(depthwise_forward(device, p, x.view(), narrow_w.view(), {}, x.view()),
                         doctest::Contains("w bf16 [16,3,3,1]: expected f32"), Error);
    return Values{};
  });
}

}  // namespace
}  // namespace gf
