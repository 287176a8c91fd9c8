#include "kernels/elementwise.h"

#include <algorithm>
#include <functional>

#include "kernels/error.h"
#include "tests/harness/kernel_case.h"

namespace gf {
namespace {

using namespace harness;
using Values = std::vector<double>;

// A tensor in double precision; an axis of extent 1 is read again and again.
struct Operand {
  Shape s;
  Values v;
  double at(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) const {
    const auto index = [](std::int64_t i, std::int64_t extent) { return extent == 1 ? 0 : i; };
    const std::int64_t pixel = (index(n, s.n) * s.h + index(h, s.h)) * s.w + index(w, s.w);
    return v[static_cast<std::size_t>(pixel * s.c + index(c, s.c))];
  }
};

template <class Visit>
void for_each_index(const Shape& s, const Visit& visit) {
  for (std::int64_t n = 0; n < s.n; ++n) {
    for (std::int64_t h = 0; h < s.h; ++h) {
      for (std::int64_t w = 0; w < s.w; ++w) {
        for (std::int64_t c = 0; c < s.c; ++c) visit(n, h, w, c);
      }
    }
  }
}

double reference(Binary op, double a, double b) {
  switch (op) {
    case Binary::add:
      return a + b;
    case Binary::sub:
      return a - b;
    case Binary::mul:
      return a * b;
    case Binary::div:
      return a / b;
  }
  return 0;
}

struct UnaryCase {
  Unary op;
  float p;
  double low, high;  // range of x
  std::function<double(double)> f;
};

const std::vector<UnaryCase>& unary_cases() {
  static const std::vector<UnaryCase> cases = {
      {Unary::relu, 0, -1, 1, [](double x) { return std::max(x, 0.0); }},
      {Unary::leaky_relu, 0.125f, -1, 1, [](double x) { return x > 0 ? x : 0.125 * x; }},
      {Unary::relu6, 0, -9, 12, [](double x) { return std::min(std::max(x, 0.0), 6.0); }},
      {Unary::tanh, 0, -2, 2, [](double x) { return std::tanh(x); }},
      {Unary::exp, 0, -5, 3, [](double x) { return std::exp(x); }},
      {Unary::log, 0, 0.1, 9, [](double x) { return std::log(x); }},
      {Unary::sqrt, 0, 0.1, 9, [](double x) { return std::sqrt(x); }},
      {Unary::square, 0, -3, 3, [](double x) { return x * x; }},
      {Unary::abs, 0, -3, 3, [](double x) { return std::fabs(x); }},
      {Unary::scale, -1.75f, -3, 3, [](double x) { return -1.75 * x; }},
      {Unary::shift, 0.375f, -3, 3, [](double x) { return x + 0.375; }},
      {Unary::sigmoid, 0, -6, 6, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {Unary::gelu, 0, -6, 4, [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }},
  };
  return cases;
}

struct Size {
  Shape s;
  std::int64_t extra_in, extra_out;  // pixel stride beyond the channels
};

// Dense rows and ragged ones; extents and strides that 4 divides (16-byte accesses) and that it does not.
const std::vector<Size>& sizes() {
  static const std::vector<Size> list = {
      {{1, 1, 1, 1}, 0, 0},   {{1, 1, 1, 257}, 0, 0}, {{2, 3, 5, 1}, 0, 0},     {{2, 3, 5, 3}, 1, 2},
      {{1, 7, 9, 31}, 0, 1},  {{2, 5, 3, 32}, 0, 0},  {{2, 5, 3, 32}, 32, 4},   {{3, 4, 2, 32}, 1, 0},
      {{1, 33, 2, 33}, 0, 7}, {{1, 3, 2, 257}, 3, 0}, {{2, 31, 32, 16}, 0, 16}, {{1, 257, 1, 4}, 4, 0},
  };
  return list;
}

TEST_CASE("elementwise: binary, equal shapes") {
  for (const Size& size : sizes()) {
    CAPTURE(size.s.str());
    const Buffer<> a = Buffer<>::random(size.s, size.extra_in, 1),
                   b = Buffer<>::random(size.s, size.extra_out, 2, 1, 2);
    const Values va = a.values(), vb = b.values();
    for (const Binary op : {Binary::add, Binary::sub, Binary::mul, Binary::div}) {
      Values expected;
      for (std::size_t i = 0; i < va.size(); ++i) expected.push_back(reference(op, va[i], vb[i]));
      on_every_device([&](const auto& device) {
        Buffer<> y(size.s, size.extra_out);
        binary(device, op, a.view(), b.view(), y.view());
        CHECK(relative_error(y.values(), expected) < 1e-7);
        CHECK(y.sentinels_intact());
        Buffer<> in_place = a;
        binary(device, op, in_place.view(), b.view(), in_place.view());
        CHECK(same_bits(in_place.values(), y.values()));
        CHECK(in_place.sentinels_intact());
        return y.values();
      });
    }
  }
}

TEST_CASE("elementwise: binary, broadcast along every set of axes") {
  for (const Shape& full : {Shape{2, 3, 4, 5}, Shape{3, 2, 5, 8}, Shape{2, 1, 3, 33}}) {
    for (unsigned axes = 0; axes < 16; ++axes) {
      const Shape part{axes & 1 ? 1 : full.n, axes & 2 ? 1 : full.h, axes & 4 ? 1 : full.w, axes & 8 ? 1 : full.c};
      CAPTURE(part.str());
      const Buffer<> a = Buffer<>::random(part, axes % 3, 3), b = Buffer<>::random(full, 0, 4);
      const Operand ra{part, a.values()}, rb{full, b.values()};
      Values first, second;
      for_each_index(full, [&](auto... i) {
        first.push_back(ra.at(i...) - rb.at(i...));
        second.push_back(rb.at(i...) - ra.at(i...));
      });
      on_every_device([&](const auto& device) {
        Buffer<> y(full, axes % 2), z(full);
        binary(device, Binary::sub, a.view(), b.view(), y.view());
        binary(device, Binary::sub, b.view(), a.view(), z.view());
        CHECK(relative_error(y.values(), first) < 1e-7);
        CHECK(relative_error(z.values(), second) < 1e-7);
        CHECK(y.sentinels_intact());
        Values outputs = y.values();
        append(outputs, z.values());
        return outputs;
      });
    }
  }
  // Both operands, along different axes.
  const Buffer<> row = Buffer<>::random({1, 1, 4, 3}, 1, 5), column = Buffer<>::random({2, 5, 1, 1}, 0, 6);
  const Operand rr{row.shape(), row.values()}, rc{column.shape(), column.values()};
  Values expected;
  for_each_index({2, 5, 4, 3}, [&](auto... i) { expected.push_back(rr.at(i...) * rc.at(i...)); });
  on_every_device([&](const auto& device) {
    Buffer<> y({2, 5, 4, 3}, 1);
    binary(device, Binary::mul, row.view(), column.view(), y.view());
    CHECK(relative_error(y.values(), expected) < 1e-7);
    return y.values();
  });
}

TEST_CASE("elementwise: unary") {
  for (const Size& size : sizes()) {
    CAPTURE(size.s.str());
    for (const UnaryCase& t : unary_cases()) {
      CAPTURE(static_cast<int>(t.op));
      const Buffer<> x = Buffer<>::random(size.s, size.extra_in, 7, t.low, t.high);
      Values expected;
      for (const double v : x.values()) expected.push_back(t.f(v));
      on_every_device([&](const auto& device) {
        Buffer<> y(size.s, size.extra_out);
        unary(device, t.op, t.p, x.view(), y.view());
        CHECK(relative_error(y.values(), expected) < 5e-7);
        CHECK(y.sentinels_intact());
        return y.values();
      });
    }
  }
}

TEST_CASE("elementwise: unary gradients against central differences") {
  for (const Size& size : sizes()) {
    CAPTURE(size.s.str());
    for (const UnaryCase& t : unary_cases()) {
      CAPTURE(static_cast<int>(t.op));
      const Buffer<> x = Buffer<>::random(size.s, size.extra_in, 8, t.low, t.high);
      const Buffer<> dy = Buffer<>::random(size.s, size.extra_out, 9);
      const Values vx = x.values(), upstream = dy.values();
      Values expected;
      constexpr double kStep = 1e-6;  // no x of these seeds is so near to a kink
      for (std::size_t i = 0; i < vx.size(); ++i) {
        expected.push_back(upstream[i] * (t.f(vx[i] + kStep) - t.f(vx[i] - kStep)) / (2 * kStep));
      }
      on_every_device([&](const auto& device) {
        Buffer<> dx(size.s, size.extra_in);
        unary_backward(device, t.op, t.p, x.view(), dy.view(), dx.view());
        CHECK(relative_error(dx.values(), expected) < 5e-6);  // 1 - tanh(x)^2 loses digits
        CHECK(dx.sentinels_intact());
        return dx.values();
      });
    }
  }
}

TEST_CASE("elementwise: kinks, NaN and infinity") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const Shape s{1, 1, 1, 5};
  const Buffer<> x = Buffer<>::of(s, 0, {0, 6, nan, inf, -inf}), one = Buffer<>::of(s, 0, {1, 1, 1, 1, 1});
  struct Expected {
    Unary op;
    Values y, dx_at_kinks;  // at 0 and at 6
  };
  const Expected cases[] = {
      {Unary::relu, {0, 6, nan, inf, 0}, {0, 1}},
      {Unary::leaky_relu, {0, 6, nan, inf, -inf}, {0.5, 1}},
      {Unary::relu6, {0, 6, nan, 6, 0}, {0, 0}},
      {Unary::abs, {0, 6, nan, inf, inf}, {0, 1}},
      {Unary::tanh, {0, std::tanh(6.0), nan, 1, -1}, {1, 1 - std::tanh(6.0) * std::tanh(6.0)}},
      {Unary::exp, {1, std::exp(6.0), nan, inf, 0}, {1, std::exp(6.0)}},
      {Unary::sigmoid, {0.5, 1 / (1 + std::exp(-6.0)), nan, 1, 0}, {0.25, 0.00246650929}},
      {Unary::gelu, {0, 6, nan, inf, nan}, {0.5, 1}},
  };
  for (const Expected& t : cases) {
    CAPTURE(static_cast<int>(t.op));
    on_every_device([&](const auto& device) {
      Buffer<> y(s), dx(s);
      unary(device, t.op, 0.5f, x.view(), y.view());
      CHECK(relative_error(y.values(), t.y) < 5e-7);
      unary_backward(device, t.op, 0.5f, x.view(), one.view(), dx.view());
      CHECK(relative_error({dx.at(0, 0), dx.at(0, 1)}, t.dx_at_kinks) < 1e-5);
      return y.values();
    });
  }
}

TEST_CASE("elementwise: axpy, fill and copy") {
  for (const Size& size : sizes()) {
    CAPTURE(size.s.str());
    const Buffer<> x = Buffer<>::random(size.s, size.extra_in, 10),
                   start = Buffer<>::random(size.s, size.extra_out, 11);
    const Values vx = x.values(), vy = start.values();
    Values sum, filled(vx.size(), -2.5);
    for (std::size_t i = 0; i < vx.size(); ++i) sum.push_back(vy[i] + 0.7f * vx[i]);
    on_every_device([&](const auto& device) {
      Buffer<> y = start;
      axpy(device, 0.7f, x.view(), y.view());
      CHECK(relative_error(y.values(), sum) < 2e-7);
      Buffer<> f(size.s, size.extra_out), c(size.s, size.extra_out);
      fill(device, -2.5f, f.view());
      CHECK(relative_error(f.values(), filled) == 0);
      copy(device, x.view(), c.view());
      CHECK(same_bits(c.values(), vx));
      CHECK((y.sentinels_intact() && f.sentinels_intact() && c.sentinels_intact()));
      return y.values();
    });
  }
}

// More pixels than a grid has blocks in y: the threads go round.
TEST_CASE("elementwise: many pixels") {
  const Shape s{1, 65539, 1, 129};
  const Buffer<std::uint8_t> from = Buffer<std::uint8_t>::random(s, 0, 1, 0, 256);
  const Values want = from.values();
  on_every_device([&](const auto& device) {
    Buffer<std::uint8_t> to(s);
    Buffer<> filled(s, 1);
    copy(device, from.view(), to.view());
    CHECK(to.values() == want);
    fill(device, 1.0f, filled.view());
    const Values ones = filled.values();
    CHECK(std::count(ones.begin(), ones.end(), 1.0) == s.count());
    CHECK(filled.sentinels_intact());
    return Values{};
  });
}

template <class T>
void check_copy(const Size& size) {
  CAPTURE(size.s.str());
  const Buffer<T> x = Buffer<T>::random(size.s, size.extra_in, 12, 0, 250);
  on_every_device([&](const auto& device) {
    Buffer<T> y(size.s, size.extra_out);
    copy(device, x.view(), y.view());
    CHECK(same_bits(y.values(), x.values()));
    CHECK(y.sentinels_intact());
    return y.values();
  });
}

TEST_CASE("elementwise: copy of every dtype") {
  for (const Size& size : sizes()) {
    check_copy<std::uint8_t>(size);
    check_copy<bf16>(size);
    check_copy<std::int32_t>(size);
  }
}

void check_sum_to(const Shape& full, const Shape& part, std::int64_t extra, double tolerance) {
  CAPTURE(full.str());
  CAPTURE(part.str());
  const Buffer<> x = Buffer<>::random(full, extra, 13), start = Buffer<>::random(part, extra, 14);
  const Operand rx{full, x.values()};
  const Values before = start.values();
  Values expected(before.size(), 0.0), added = before;
  for_each_index(full, [&](std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) {
    const auto index = [](std::int64_t i, std::int64_t extent) { return extent == 1 ? 0 : i; };
    const std::int64_t pixel = (index(n, part.n) * part.h + index(h, part.h)) * part.w + index(w, part.w);
    expected[static_cast<std::size_t>(pixel * part.c + index(c, part.c))] += -1.5 * rx.at(n, h, w, c);
  });
  for (std::size_t i = 0; i < added.size(); ++i) added[i] += expected[i];
  on_every_device([&](const auto& device) {
    Buffer<> y(part, extra), z = start;
    sum_to(device, -1.5f, x.view(), y.view());
    CHECK(relative_error(y.values(), expected) < tolerance);
    sum_to(device, -1.5f, x.view(), z.view(), true);
    CHECK(relative_error(z.values(), added) < tolerance);
    CHECK((y.sentinels_intact() && z.sentinels_intact()));
    return y.values();
  });
}

TEST_CASE("elementwise: sum_to over every set of axes") {
  for (const Shape& full : {Shape{2, 3, 4, 5}, Shape{3, 2, 1, 33}, Shape{2, 9, 7, 1}}) {
    for (unsigned axes = 0; axes < 16; ++axes) {
      const Shape part{axes & 1 ? 1 : full.n, axes & 2 ? 1 : full.h, axes & 4 ? 1 : full.w, axes & 8 ? 1 : full.c};
      check_sum_to(full, part, axes % 3, 1e-6);
    }
  }
}

// Several chunks, and partial sums of partial sums; summands of one sign, so that an error is not lost in cancellation.
TEST_CASE("elementwise: long sums") {
  check_sum_to({2, 33, 31, 257}, {1, 1, 1, 257}, 0, 1e-6);
  check_sum_to({4, 64, 65, 3}, {1, 1, 1, 3}, 1, 1e-6);
  check_sum_to({3, 97, 101, 32}, {1, 1, 1, 1}, 0, 1e-6);
  check_sum_to({2, 63, 257, 9}, {2, 1, 1, 1}, 0, 1e-6);
  check_sum_to({1, 40, 41, 32}, {1, 40, 41, 1}, 4, 1e-6);
  const Shape full{3, 128, 129, 16};
  const Buffer<> x = Buffer<>::random(full, 0, 15, 0.5, 1.5);
  double expected = 0;
  for (const double v : x.values()) expected += v;
  on_every_device([&](const auto& device) {
    Buffer<> y({1, 1, 1, 1});
    sum_to(device, 1.0f, x.view(), y.view());
    CHECK(y.at(0, 0) == doctest::Approx(expected).epsilon(2e-7));
    return y.values();
  });
}

TEST_CASE("elementwise: shapes that do not fit are refused by name") {
  Buffer<> a({1, 2, 3, 4}), b({1, 2, 3, 5});
  on_every_device([&](const auto& device) {
    CHECK_THROWS_WITH_AS(binary(device, Binary::add, a.view(), b.view(), a.view()),
                         doctest::Contains("b f32 [1,2,3,5]"), Error);
    CHECK_THROWS_WITH_AS(unary(device, Unary::relu, 0, a.view(), b.view()), doctest::Contains("[1,2,3,4]"), Error);
    CHECK_THROWS_WITH_AS(sum_to(device, 1, a.view(), b.view()), doctest::Contains("sum_to"), Error);
    return Values{};
  });
}

}  // namespace
}  // namespace gf
